//! Groups of children: marks the children that have to be polled because a result arrived.
//!
//! A waker is never touched. Instead, while a group polls a child, that child's [`Slot`] is the
//! current one; a task that stays pending remembers it, and the task's result [marks](Groups::mark)
//! it. So a child is polled when its group begins and when it makes progress, not at every result
//! of another child.

use std::collections::BTreeMap;

/// The position of a child in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    group: u32,
    index: usize,
}

#[cfg(test)]
impl Slot {
    pub(super) fn of_test(index: usize) -> Self {
        Self { group: 0, index }
    }
}

/// The child to poll after an arrival: the one that last polled the task or wait, if any.
#[derive(Debug)]
pub(super) struct Woken(pub(super) Option<Slot>);

/// The groups of an execution.
#[derive(Debug, Default)]
pub(super) struct Groups {
    members: BTreeMap<u32, Group>,
    next_group: u32,
    /// The child that is being polled; `None` while the orchestrator itself is polled.
    polling: Option<Slot>,
}

#[derive(Debug, Default)]
struct Group {
    /// The child of an outer group in which this group was last polled.
    parent: Option<Slot>,
    /// The children that were marked since the group was last polled.
    woken: Vec<usize>,
}

impl Groups {
    /// The child that is being polled.
    pub(super) fn polling(&self) -> Option<Slot> {
        self.polling
    }

    /// Adds a group inside the child that is being polled.
    pub(super) fn add(&mut self) -> u32 {
        let id = self.next_group;
        self.next_group += 1;
        self.members.insert(id, Group { parent: self.polling, woken: Vec::new() });
        id
    }

    /// The marked children of a group that is being polled, in the order of their results.
    pub(super) fn take_woken(&mut self, group: u32) -> Vec<usize> {
        let parent = self.polling;
        let Some(group) = self.members.get_mut(&group) else { return Vec::new() };
        group.parent = parent;
        std::mem::take(&mut group.woken)
    }

    /// Begins to poll a child; returns the one that was being polled before.
    pub(super) fn enter(&mut self, group: u32, index: usize) -> Option<Slot> {
        self.polling.replace(Slot { group, index })
    }

    /// Ends the poll of a child.
    pub(super) fn leave(&mut self, outer: Option<Slot>) {
        self.polling = outer;
    }

    /// Removes a group.
    pub(super) fn remove(&mut self, group: u32) {
        self.members.remove(&group);
    }

    /// Marks a child, and in each outer group the child that contains it, to be polled.
    pub(super) fn mark(&mut self, Woken(mut slot): Woken) {
        while let Some(Slot { group, index }) = slot {
            let Some(group) = self.members.get_mut(&group) else { break };
            group.woken.push(index);
            slot = group.parent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Polls a child, in which `poll` runs.
    fn within<T>(
        groups: &mut Groups,
        (group, index): (u32, usize),
        poll: impl FnOnce(&mut Groups) -> T,
    ) -> T {
        let outer = groups.enter(group, index);
        let polled = poll(groups);
        groups.leave(outer);
        polled
    }

    #[test]
    fn a_result_marks_the_child_and_every_child_around_it() {
        let mut groups = Groups::default();
        let outer = groups.add();
        let (inner, slot) = within(&mut groups, (outer, 3), |groups| {
            let inner = groups.add();
            (inner, within(groups, (inner, 1), |groups| groups.polling()))
        });
        groups.mark(Woken(slot));
        assert_eq!(groups.take_woken(outer), [3]);
        assert_eq!(within(&mut groups, (outer, 3), |groups| groups.take_woken(inner)), [1]);
        assert_eq!(groups.take_woken(outer), [0; 0]);
    }

    #[test]
    fn marks_keep_the_order_of_the_results() {
        let mut groups = Groups::default();
        let group = groups.add();
        let slot = |index| Woken(Some(Slot { group, index }));
        for index in [2, 0, 2, 1] {
            groups.mark(slot(index));
        }
        assert_eq!(groups.take_woken(group), [2, 0, 2, 1]);
    }

    #[test]
    fn a_group_that_moved_marks_where_it_was_last_polled() {
        let mut groups = Groups::default();
        let (before, after) = (groups.add(), groups.add());
        let moved = within(&mut groups, (before, 0), Groups::add);
        within(&mut groups, (after, 5), |groups| groups.take_woken(moved));
        groups.mark(Woken(Some(Slot { group: moved, index: 0 })));
        assert_eq!((groups.take_woken(before), groups.take_woken(after)), (vec![], vec![5]));
    }

    #[test]
    fn a_removed_group_marks_nothing() {
        let mut groups = Groups::default();
        let outer = groups.add();
        let inner = within(&mut groups, (outer, 0), Groups::add);
        groups.remove(inner);
        groups.mark(Woken(Some(Slot { group: inner, index: 0 })));
        assert_eq!(groups.take_woken(outer), [0; 0]);
        assert_eq!(groups.take_woken(inner), [0; 0]);
    }

    #[test]
    fn polling_ends_where_it_began() {
        let mut groups = Groups::default();
        let group = groups.add();
        within(&mut groups, (group, 0), |groups| {
            within(groups, (group, 1), |_| ());
            assert_eq!(groups.polling(), Some(Slot { group, index: 0 }));
        });
        assert_eq!(groups.polling(), None);
    }
}
