//! The errors for names that break rules.

use std::collections::BTreeSet;
use std::rc::Rc;

use quote::ToTokens;
use syn::Path;
use syn::ext::IdentExt;

use super::Body;
use crate::broken::{Broken, broken, broken_macro};
use crate::names::{Kind, Name};
use crate::rules::{self, Rule};
use crate::table;
use crate::uses::{self, Found, Uses, segments};

impl Body<'_> {
    pub(super) fn refuse(&mut self, tokens: impl ToTokens, what: &str, rule: &Rule) {
        if self.allowed.iter().any(|allowed| allowed.contains(rule)) {
            return;
        }
        let Rule { code, why, instead } = rule;
        self.refused += 1;
        self.errors.on(
            tokens,
            format!(
                "{code}: {what} does not belong in a function that is replayed\n  why: {why}\n  \
                 write: {instead}\n  if it is safe in a replay: `#[durable::allow({code}, reason = \
                 \"..\")]` on the statement or the function\n  page: durable::guide::error_codes::{code}"
            ),
        );
    }

    /// Rejects a name. A type that is used in many places of a function is reported once.
    fn refuse_name(&mut self, tokens: impl ToTokens, what: &str, broken: Broken) {
        let is_type = is_of_type(&broken);
        if is_type && self.reported.contains(broken.entry) {
            self.refused += 1;
            return;
        }
        let before = self.refused;
        if broken.is_guess {
            let name = broken.name();
            let own = name.rsplit("::").find(|part| part.starts_with(char::is_uppercase));
            let what = match own {
                Some(own) => format!(
                    "{what}, which is taken for `{name}` because no `use` names it (if `{own}` is \
                     your own, import it by name),"
                ),
                None => format!("{what}, which is taken for `{name}`,"),
            };
            self.refuse(tokens, &what, broken.rule);
        } else {
            self.refuse(tokens, what, broken.rule);
        }
        if is_type && self.refused > before {
            self.reported.insert(broken.entry);
        }
    }

    pub(super) fn check_path(&mut self, path: &Path) {
        if self.uses.is_static(path) {
            let name = path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
            self.refuse(path, &format!("`{name}`, a `static`,"), &rules::SHARED);
            return;
        }
        if let Some(activity) = self.uses.body_of_activity(path) {
            let what = format!("`{activity}::run`, the body of an activity,");
            self.refuse(path, &what, &rules::IN_PLACE);
            return;
        }
        let full = self.uses.without_self(segments(path));
        if let Some(body) = self.uses.body(&full) {
            let name = full.join("::");
            if !self.values.is_bound(&name) {
                self.check_reached(path, &name, body);
            }
            return;
        }
        let before = self.refused;
        if let Some(resolved) = self.uses.resolve(path) {
            self.check_resolved(path, &resolved);
        }
        if self.refused == before
            && let Some((broken, name)) = in_alias(&self.uses, &full, 4)
        {
            self.refuse_name(path, &format!("`{}` (with `{name}`)", full.join("::")), broken);
        }
    }

    pub(super) fn check_resolved(&mut self, path: &Path, resolved: &[String]) {
        if let Some(broken) = broken(resolved, &self.uses) {
            let written = path.segments.iter().map(|segment| segment.ident.unraw().to_string());
            let written = written.collect::<Vec<_>>().join("::");
            let full = resolved.join("::");
            let what = if full.ends_with(&written) {
                format!("`{written}`")
            } else {
                format!("`{written}` (`{full}`)")
            };
            self.refuse_name(path, &what, broken);
        }
    }

    /// Checks the body of a function, constant or macro of the same file that no attribute checks.
    pub(super) fn check_reached(&mut self, tokens: impl ToTokens, name: &str, body: Found) {
        if let Some((rule, names)) = reached(body, &mut BTreeSet::new()) {
            let does = if rule.code == rules::HIDDEN_AWAIT.code { "writes" } else { "uses" };
            if self.is_async || does == "uses" {
                self.refuse(tokens, &format!("`{name}`, which {does} `{names}`,"), rule);
            }
        }
    }
}

/// The rule that a body breaks, and the name that breaks it.
fn reached(
    (uses, body): Found,
    seen: &mut BTreeSet<*const uses::Body>,
) -> Option<(&'static Rule, String)> {
    if !seen.insert(Rc::as_ptr(&body)) {
        return None;
    }
    if body.awaits {
        return Some((&rules::HIDDEN_AWAIT, ".await".to_owned()));
    }
    let inner = uses.with(&body.uses);
    body.names.iter().find_map(|Name { path, kind, .. }| {
        let path = inner.without_self(path.clone());
        // A constant is used by naming it; naming a function does not call it.
        let is_constant = || path[path.len() - 1].starts_with(char::is_uppercase);
        let next = match kind {
            Kind::Macro => inner.own_macro(&path),
            Kind::Other if !is_constant() => None,
            Kind::Call | Kind::Other => inner.body(&path),
        };
        let (rule, what) = if let Some(next) = next {
            return reached(next, seen);
        } else if *kind == Kind::Macro {
            (broken_macro(&path), format!("{}!", path.join("::")))
        } else {
            let full = inner.resolve_names(path, 8).filter(|path| path.len() > 1)?;
            (broken(&full, &inner).map(|broken| broken.rule), full.join("::"))
        };
        rule.filter(|rule| table::REACHED.iter().any(|it| it.code == rule.code))
            .map(|rule| (rule, what))
    })
}

/// Whether a rule is about a type, so that naming the type breaks it.
fn is_of_type(broken: &Broken) -> bool {
    [rules::UNORDERED.code, rules::LOCK.code].contains(&broken.rule.code)
}

/// The rule about types that a type inside an alias breaks, and the name of the type. An alias
/// often names the error of a client, which is harmless.
fn in_alias(uses: &Uses, path: &[String], depth: usize) -> Option<(Broken, String)> {
    let (scope, types) = uses.alias(path).filter(|_| depth > 0)?;
    types.iter().find_map(|inner| {
        let direct = || {
            let full = scope.resolve_names(inner.clone(), 8).filter(|full| full.len() > 1)?;
            let broken = broken(&full, scope).filter(is_of_type)?;
            Some((broken, full.join("::")))
        };
        direct().or_else(|| in_alias(scope, inner, depth - 1))
    })
}
