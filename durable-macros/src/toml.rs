//! The part of TOML that is needed to find a dependency in a manifest.

/// The path of a key, and its value as it is written, but without space and comments.
type Assignment = (Vec<String>, String);

/// The assignments of a document in their order, including those in inline tables; `None` if it
/// cannot be read. The header of a table is an assignment without a value.
pub(crate) fn assignments(document: &str) -> Option<Vec<Assignment>> {
    let mut table = Vec::new();
    let mut found = Vec::new();
    for statement in split(document, '\n')? {
        if let Some(header) = statement.strip_prefix('[') {
            let header = header.strip_suffix(']')?;
            let of_array = header.strip_prefix('[').and_then(|header| header.strip_suffix(']'));
            table = path(of_array.unwrap_or(header))?;
            found.push((table.clone(), String::new()));
        } else {
            assign(&table, &statement, &mut found)?;
        }
    }
    Some(found)
}

fn assign(table: &[String], statement: &str, found: &mut Vec<Assignment>) -> Option<()> {
    let parts = split(statement, '=')?;
    let [key, value] = &parts[..] else { return None };
    let path = [table, &path(key)?].concat();
    match value.strip_prefix('{').and_then(|value| value.strip_suffix('}')) {
        Some(inner) => {
            split(inner, ',')?.iter().try_for_each(|inner| assign(&path, inner, found))?;
        }
        None => found.push((path, value.clone())),
    }
    Some(())
}

/// The text of a string.
pub(crate) fn text(value: &str) -> Option<&str> {
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    value.strip_prefix(quote)?.strip_suffix(quote)
}

/// The names of a dotted key.
fn path(key: &str) -> Option<Vec<String>> {
    let names = split(key, '.')?;
    Some(names.iter().map(|name| text(name).unwrap_or(name).to_owned()).collect())
}

/// The parts of a text between separators that are not in a string or a bracket, without space,
/// comments and empty parts; `None` if a string or a bracket does not end.
fn split(text: &str, separator: char) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let (mut depth, mut rest) = (0_usize, text);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' => string(rest)?,
            '#' => rest.find('\n').unwrap_or(rest.len()),
            first => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        match first {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if first == separator && depth == 0 {
            parts.push(String::new());
        } else if first != '#' && !first.is_whitespace() {
            parts.last_mut()?.push_str(token);
        }
    }
    parts.retain(|part| !part.is_empty());
    (depth == 0).then_some(parts)
}

/// The length of the string with which a text begins.
fn string(text: &str) -> Option<usize> {
    let quote = text.get(..1)?;
    let triple = quote.repeat(3);
    let end = if text.starts_with(&triple) { &triple } else { quote };
    let mut at = end.len();
    loop {
        let rest = text.get(at..)?;
        if rest.starts_with(end) {
            return Some(at + end.len());
        }
        let escapes = quote == "\"" && rest.starts_with('\\');
        at += rest.chars().take(1 + usize::from(escapes)).map(char::len_utf8).sum::<usize>();
        if rest.is_empty() || (end == quote && rest.starts_with('\n')) {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(document: &str) -> Option<Vec<String>> {
        let found = assignments(document)?;
        Some(found.iter().map(|(path, value)| format!("{}={value}", path.join("/"))).collect())
    }

    #[test]
    fn keys_are_found_whatever_is_around_them() {
        let document = "top.x = 1 # [no]\n\
             [a.\"b.c\"] # = comment ]\n\
             d = [ # [\n  [\"]\", 'x#'],\n]\n\
             [[e]]\n\
             'f g' . h = \"\"\"\n[i]\nj = \\\"\"\"\"\n\
             k = { l = \"=\\\"}\", m = { n = 1 } }\n";
        let found = paths(document).unwrap();
        assert_eq!(found[..4], ["top/x=1", "a/b.c=", "a/b.c/d=[[\"]\",'x#'],]", "e="]);
        assert_eq!(found[4], "e/f g/h=\"\"\"\n[i]\nj = \\\"\"\"\"");
        assert_eq!(found[5..], ["e/k/l=\"=\\\"}\"", "e/k/m/n=1"]);
    }

    #[test]
    fn what_is_no_toml_is_not_read() {
        for document in ["a", "[a", "a = [", "a = \"", "a = \"\"\"", "]", "a = 'x\n'", "a = b = c"]
        {
            assert_eq!(paths(document), None, "{document}");
        }
    }
}
