//! From a seed to a case.
//!
//! What happens at one moment in two places has no promised order. So that a program has one result,
//! nothing in it happens at the same moment by chance: branches that run side by side begin with a
//! sleep of their own, and so does what follows whatever another branch may set off.

use crate::chance::Chance;
use crate::program::{
    Action, Activity, Case, Child, ChildId, Does, Held, Micros, Node, Options, Profile, Program,
    Retry, SECOND,
};

/// The maximum nesting of statements, and of sub-orchestrations.
const DEPTH: u32 = 4;
const CHILDREN: u32 = 2;
/// A time limit that is only exceeded by waiting for a retry.
const GENEROUS: Micros = 5_000 * SECOND;

/// Whether programs may contain this: `DURABLE_WITHOUT=bombs,rewinds` leaves out what is known to
/// fail.
fn may(feature: &str) -> bool {
    let without = std::env::var("DURABLE_WITHOUT").unwrap_or_default();
    without.split(',').all(|gated| gated != feature)
}

pub(crate) fn case(seed: u64) -> Case {
    let mut chance = Chance::new(seed, "program");
    let profile = match chance.below(8) {
        0..3 => Profile::Free,
        3..5 => Profile::Suspended,
        5 if may("rewinds") => Profile::Rewound,
        _ => Profile::Wild,
    };
    let left = i64::try_from(chance.between(4, 30)).expect("it is small");
    let mut generator = Generator { chance, profile, left, children: 0, events: 0 };
    let program = generator.program();
    let events = generator.events;
    let script = script(&mut Chance::new(seed, "script"), profile, events);
    let partitions = if seed.is_multiple_of(2) { 1 } else { 4 };
    Case { profile, program, script, partitions }
}

fn script(chance: &mut Chance, profile: Profile, events: u8) -> Vec<(Micros, Action)> {
    let mut script = Vec::new();
    let at = |chance: &mut Chance, within| 1 + chance.below(within * SECOND);
    match profile {
        Profile::Free | Profile::Wild if events > 0 => {
            for _ in 0..chance.between(1, 8) {
                let name = u8::try_from(chance.below(2)).expect("it is small");
                script.push((at(chance, 300), Action::Raise(name)));
            }
        }
        Profile::Suspended => {
            script.extend((0..events).map(|name| (at(chance, 300), Action::Raise(name))));
        }
        _ => {}
    }
    if matches!(profile, Profile::Suspended | Profile::Wild) && may("suspensions") {
        let mut time = 0;
        for _ in 0..chance.between(1, 3) {
            time += at(chance, 100);
            script.push((time, Action::Suspend));
            time += at(chance, 200);
            script.push((time, Action::Resume));
        }
    }
    let is_rewound = profile == Profile::Rewound || profile == Profile::Wild && chance.one_in(2);
    if is_rewound && may("rewinds") {
        let mut time = at(chance, 20_000);
        if chance.one_in(2) {
            script.push((time, Action::Rewind));
        }
        time += at(chance, 20_000);
        script.push((time, Action::Mend));
        // By now, everything that can fail has failed.
        for _ in 0..2 {
            time += 20_000 * SECOND + at(chance, 1000);
            script.push((time, Action::Rewind));
        }
    }
    if profile == Profile::Wild {
        let actions = [Action::Terminate, Action::Restart, Action::Purge, Action::Rewind];
        for _ in 0..chance.below(3) {
            script.push((at(chance, 400), actions[chance.index(actions.len())].clone()));
        }
    }
    script.sort_by_key(|(at, _)| *at);
    script
}

struct Generator {
    chance: Chance,
    profile: Profile,
    /// The number of statements that may still be generated.
    left: i64,
    /// The number of enclosing sub-orchestrations.
    children: u32,
    /// The number of waits for events.
    events: u8,
}

impl Generator {
    fn program(&mut self) -> Program {
        let mut body = vec![self.pause()];
        for _ in 0..self.chance.between(1, 5) {
            body.push(self.statement(DEPTH));
        }
        let generations = match self.chance.below(24) {
            0 => 1,
            1 => 2,
            // More statements than run at once.
            2 if self.children == 0 && may("generations") => 66,
            _ => 0,
        };
        if generations > 2 {
            let last = Node::Seq(vec![self.pause(), self.pause()]);
            body = vec![Node::Guid, Node::Last(Box::new(last))];
        }
        Program { body: Node::Seq(body), generations }
    }

    fn time(&mut self) -> Micros {
        let longest = [1, 10, 100][self.chance.index(3)];
        1 + self.chance.below(longest * SECOND)
    }

    fn pause(&mut self) -> Node {
        Node::Timer(self.time())
    }

    /// A statement that sleeps at its end.
    fn settled(&mut self, node: Node) -> Node {
        Node::Seq(vec![node, self.pause()])
    }

    /// A statement that runs beside others.
    fn branch(&mut self, depth: u32) -> Node {
        let node = self.statement(depth);
        if matches!(node, Node::Event(..)) { node } else { Node::Seq(vec![self.pause(), node]) }
    }

    fn branches(&mut self, depth: u32) -> Vec<Node> {
        (0..self.chance.between(1, 4)).map(|_| self.branch(depth)).collect()
    }

    fn statement(&mut self, depth: u32) -> Node {
        self.left -= 1;
        if depth == 0 || self.left <= 0 || self.chance.one_in(3) {
            return self.leaf();
        }
        let depth = depth - 1;
        if matches!(self.profile, Profile::Suspended | Profile::Rewound) {
            return self.plain(depth);
        }
        match self.chance.below(22) {
            3..6 => Node::Catch(Box::new(self.statement(depth))),
            6 => self.join(depth),
            7 => self.queue(),
            8..10 => Node::TryJoin(self.branches(depth)),
            10..13 => Node::Race(Box::new(self.branch(depth)), Box::new(self.branch(depth))),
            13..15 => Node::Select(self.branches(depth)),
            15 => {
                let all: Vec<_> = (0..self.chance.between(1, 4)).map(|_| self.lasting()).collect();
                let wanted = 1 + self.chance.index(all.len() + 1);
                Node::Completed(all, wanted, self.time())
            }
            16..18 => Node::Timeout(self.time(), Box::new(self.branch(depth))),
            18..21 if may("held") => self.held(depth),
            21 if may("bombs") && self.chance.one_in(3) => {
                Node::Bomb(Box::new(self.statement(depth)))
            }
            _ => self.sequence(depth),
        }
    }

    /// Statements whose result does not depend on when their parts end.
    fn plain(&mut self, depth: u32) -> Node {
        match self.chance.below(6) {
            0..3 => self.join(depth),
            3 if self.profile == Profile::Rewound => Node::TryJoin(self.branches(depth)),
            4 if self.profile == Profile::Suspended => Node::Catch(Box::new(self.statement(depth))),
            _ => self.sequence(depth),
        }
    }

    fn sequence(&mut self, depth: u32) -> Node {
        Node::Seq((0..self.chance.between(1, 4)).map(|_| self.statement(depth)).collect())
    }

    fn join(&mut self, depth: u32) -> Node {
        let at_most = self.chance.one_in(3).then(|| 1 + self.chance.index(3));
        // Only the failed parts run again, so a rewind may begin later steps in another order.
        let at_most = at_most.filter(|_| self.profile != Profile::Rewound);
        Node::Join(self.branches(depth), at_most)
    }

    /// Several waits for the same event, some of which time out.
    fn queue(&mut self) -> Node {
        self.events += 1;
        let name = u8::try_from(self.chance.below(2)).expect("it is small");
        let branch = |n: &mut Self| {
            let wait = Node::Event(name, None);
            if n.chance.one_in(3) {
                let wait = n.settled(wait);
                return Node::Seq(vec![n.pause(), wait]);
            }
            let held = Held {
                wait: Box::new(wait),
                limit: n.time(),
                meanwhile: Box::new(n.pause()),
                is_awaited: n.chance.one_in(3),
            };
            let held = n.settled(Node::Held(held));
            if n.chance.one_in(2) { held } else { Node::Seq(vec![n.pause(), held]) }
        };
        Node::Join((0..self.chance.between(2, 4)).map(|_| branch(self)).collect(), None)
    }

    /// If a wait is dropped, its event goes to the next one, so more events are raised.
    fn held(&mut self, depth: u32) -> Node {
        let wait = match self.chance.below(6) {
            0 => self.activity(),
            1 => self.child(),
            2 => self.pause(),
            _ => {
                self.events += 1;
                Node::Event(u8::try_from(self.chance.below(2)).expect("it is small"), None)
            }
        };
        let held = Held {
            wait: Box::new(wait),
            limit: self.time(),
            meanwhile: Box::new(Node::Seq(vec![self.pause(), self.statement(depth)])),
            is_awaited: self.chance.one_in(3),
        };
        let held = Node::Held(held);
        self.settled(held)
    }

    fn leaf(&mut self) -> Node {
        let is_rewound = self.profile == Profile::Rewound;
        match self.chance.below(50) {
            0..8 => self.pause(),
            8..16 if !is_rewound => self.event(),
            16..19 if matches!(self.profile, Profile::Free | Profile::Wild) => {
                let send = Node::Send(u8::try_from(self.chance.below(2)).expect("it is small"));
                self.settled(send)
            }
            19..22 => {
                let add = Node::Add(u8::try_from(self.chance.below(3)).expect("it is small"));
                self.settled(add)
            }
            22..25 if self.children < CHILDREN => self.section(),
            25 => Node::Guid,
            26..28 => Node::Patch,
            28 => Node::Status,
            29 if may("long ago") => Node::LongAgo,
            30 if !is_rewound => Node::Fail,
            31 if !is_rewound && self.chance.one_in(4) => Node::Panic,
            32..39 if self.children < CHILDREN => self.child(),
            _ => self.activity(),
        }
    }

    /// Statements whose duration is known when they begin.
    fn lasting(&mut self) -> Node {
        if self.chance.one_in(2) {
            return self.pause();
        }
        let timeout = Some(self.time());
        let options = Options { timeout, ..Options::default() };
        Node::Activity(Activity { does: Does::Hang, options })
    }

    /// A critical section in a separate instance, in which nothing breaks its rules.
    fn section(&mut self) -> Node {
        let mut keys = vec![0, 1, 2];
        keys.rotate_left(self.chance.index(3));
        keys.truncate(1 + self.chance.index(3));
        let section = Node::Section(keys, self.time());
        let body = Node::Seq(vec![self.pause(), section]);
        let program = Box::new(Program { body, generations: 0 });
        let child = Child { program, id: ChildId::Generated, options: Options::default() };
        self.settled(Node::Child(child))
    }

    fn event(&mut self) -> Node {
        if self.profile == Profile::Suspended {
            if self.children > 0 {
                return self.pause();
            }
            // Each has a unique name, so that it does not matter which waits first.
            let event = Node::Event(self.events, None);
            self.events += 1;
            return self.settled(event);
        }
        self.events += 1;
        let limit = (self.children > 0 || !self.chance.one_in(4)).then(|| self.time());
        let event = Node::Event(u8::try_from(self.chance.below(2)).expect("it is small"), limit);
        let event = self.settled(event);
        if self.chance.one_in(3) { event } else { Node::Catch(Box::new(event)) }
    }

    fn activity(&mut self) -> Node {
        let does = self.does();
        let mut options = self.options();
        if does == Does::Hang && !self.chance.one_in(8) {
            options.attempt_timeout = Some(self.time());
        }
        let activity = Node::Activity(Activity { does, options });
        let is_caught = self.profile != Profile::Rewound && !self.chance.one_in(3);
        if is_caught { Node::Catch(Box::new(activity)) } else { activity }
    }

    fn does(&mut self) -> Does {
        let some = u32::try_from(self.chance.between(1, 4)).expect("it is small");
        let value = i64::try_from(self.chance.below(10)).expect("it is small");
        if self.profile == Profile::Rewound {
            return match self.chance.below(3) {
                0 => Does::Return(value),
                _ => Does::FailUntilMended,
            };
        }
        let may_hang = self.profile != Profile::Suspended;
        match self.chance.below(20) {
            0..6 => Does::Return(value),
            6..10 => Does::Fail(some),
            10 => Does::Panic(some),
            11 => Does::Refuse,
            12..15 => Does::Hang,
            15 if may("bombs") => Does::PanicWithBomb,
            16 if may("unreadable") => Does::NotANumber,
            17 if may("unreadable") => Does::Deep,
            18 if may_hang && may("causes") => {
                Does::FailWithCauses([1, 50, 1200][self.chance.index(3)])
            }
            _ => loop {
                let bits = self.chance.below(u64::MAX);
                if !may("floats") {
                    break Does::Return(1);
                }
                if f64::from_bits(bits).is_finite() {
                    break Does::Float(bits);
                }
            },
        }
    }

    fn options(&mut self) -> Options {
        if self.profile == Profile::Rewound {
            // Until the world is repaired, either the attempts or the time may be exhausted.
            let attempts = if self.chance.one_in(2) { 2 } else { 100 };
            let first = 300 * SECOND + self.time();
            let retry =
                Retry { attempts, first, doubles: false, max_interval: None, timeout: None };
            let retry = self.chance.one_in(2).then_some(retry);
            let timeout = self.chance.one_in(2).then(|| GENEROUS + self.time());
            let timeout = timeout.or(retry.as_ref().map(|_| GENEROUS + self.time()));
            if !may("rewinds with limits") {
                return Options::default();
            }
            return Options { retry, timeout, attempt_timeout: None };
        }
        let has_limits = self.profile != Profile::Suspended;
        let has_retry = !has_limits || self.chance.one_in(2);
        let retry = has_retry.then(|| {
            let first = self.time();
            Retry {
                attempts: u32::try_from(self.chance.between(2, 5)).expect("it is small"),
                first,
                doubles: self.chance.one_in(2),
                max_interval: self.chance.one_in(4).then(|| first + self.time()),
                timeout: (has_limits && self.chance.one_in(4)).then(|| first + self.time()),
            }
        });
        let timeout = (has_limits && self.chance.one_in(3)).then(|| self.time());
        Options { retry, timeout, attempt_timeout: None }
    }

    fn child(&mut self) -> Node {
        let id = match self.chance.below(12) {
            0 if self.profile != Profile::Rewound && may("strangers") => ChildId::Stranger,
            1 if may("strangers") && self.profile != Profile::Rewound => ChildId::Own,
            2..6 => ChildId::Named,
            _ => ChildId::Generated,
        };
        self.children += 1;
        let program = Box::new(self.program());
        self.children -= 1;
        let is_refused = matches!(id, ChildId::Stranger | ChildId::Own);
        let options = if is_refused { Options::default() } else { self.options() };
        let child = Node::Child(Child { program, id, options });
        let is_caught = self.profile != Profile::Rewound && !self.chance.one_in(3);
        if is_caught { Node::Catch(Box::new(child)) } else { child }
    }
}
