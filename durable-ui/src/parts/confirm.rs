//! Actions: a button opens a dialog that says what will happen, and asks for the required values.
//!
//! The dialog is a form. The script sends its fields as the JSON body of the request, with the header
//! that the API demands from web pages, and shows the error of the API in the dialog.

use maud::{Markup, html};

use super::text;

/// An action on something.
#[derive(Clone, Debug)]
pub(crate) struct Action {
    /// Unique in the page, such as `suspend`.
    pub(crate) id: String,
    /// The verb of the buttons, such as `Suspend`.
    pub(crate) verb: String,
    /// The question, such as `Terminate order-17?`
    pub(crate) question: String,
    /// What will happen.
    pub(crate) effect: String,
    /// What the other button says, such as `Keep it running`.
    pub(crate) keep: String,
    pub(crate) method: &'static str,
    /// The address of the API.
    pub(crate) url: String,
    pub(crate) fields: Vec<Field>,
    /// Whether the action ends or deletes something.
    pub(crate) is_destructive: bool,
    /// The page to open afterwards; `None` to stay on the page. `{id}` stands for a member of the
    /// answer.
    pub(crate) next: Option<String>,
}

/// A field of the body.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// The name of the member; empty if the field is the whole body. `{event}` in the address of
    /// the action is replaced by the value of the field named `{event}`.
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) value: String,
    pub(crate) input: Input,
    pub(crate) is_required: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A string.
    Text,
    /// A string, for which these values are suggested.
    Suggested(Vec<String>),
    /// A number; an empty field is left out.
    Number,
    /// JSON; an empty field is left out.
    Json,
    /// `true`, or nothing.
    Check,
    /// A member that is not shown; its value is JSON.
    Hidden,
}

impl Action {
    pub(crate) fn post(id: &str, verb: &str, url: impl Into<String>) -> Self {
        Self {
            id: id.to_owned(),
            verb: verb.to_owned(),
            question: format!("{verb}?"),
            effect: String::new(),
            keep: "Close".to_owned(),
            method: "POST",
            url: url.into(),
            fields: Vec::new(),
            is_destructive: false,
            next: None,
        }
    }

    pub(crate) fn asks(mut self, question: impl Into<String>, effect: impl Into<String>) -> Self {
        (self.question, self.effect) = (question.into(), effect.into());
        self
    }

    pub(crate) fn keeps(mut self, keep: &str) -> Self {
        keep.clone_into(&mut self.keep);
        self
    }

    pub(crate) fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    /// Asks for a reason, which the history keeps.
    pub(crate) fn reason(self) -> Self {
        self.field(Field::new("reason", "Reason", Input::Text))
    }

    pub(crate) fn destructive(mut self) -> Self {
        self.is_destructive = true;
        self
    }

    pub(crate) fn method(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    pub(crate) fn then(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

impl Field {
    pub(crate) fn new(name: &str, label: &str, input: Input) -> Self {
        let (name, label) = (name.to_owned(), label.to_owned());
        Self { name, label, value: String::new(), input, is_required: false }
    }

    pub(crate) fn value(mut self, value: impl Into<String>) -> Self {
        self.value = value.into();
        self
    }

    pub(crate) fn required(mut self) -> Self {
        self.is_required = true;
        self
    }
}

/// The button that opens the dialog of an action. `class` is added to the classes of buttons.
pub(crate) fn open(action: &Action, class: &str) -> Markup {
    let danger = if action.is_destructive { " d" } else { "" };
    html! {
        button class=(format_args!("b {class}{danger}")) type="button"
            data-open=(format_args!("do-{}", action.id)) { (action.verb) }
    }
}

/// The dialog of an action.
pub(crate) fn confirm(action: &Action) -> Markup {
    let id = format!("do-{}", action.id);
    html! {
        dialog #(id) aria-labelledby=(format_args!("{id}-h")) {
            form.conf method="dialog" data-send=(action.method) data-url=(action.url)
                data-next=[action.next.as_ref()] {
                h2 #(format_args!("{id}-h")) { (text(&action.question)) }
                @if !action.effect.is_empty() { p.q2 { (text(&action.effect)) } }
                @for (index, field) in action.fields.iter().enumerate() {
                    (input(field, &format!("{id}-{index}")))
                }
                div.note.bad role="alert" hidden {}
                div.row.acts {
                    button class=(if action.is_destructive { "b d" } else { "b p" }) type="submit" {
                        (action.verb)
                    }
                    button.b type="button" data-do="close" { (action.keep) }
                }
            }
        }
    }
}

fn input(field: &Field, id: &str) -> Markup {
    let Field { name, label, value, input, is_required } = field;
    html! {
        @match input {
            Input::Text => {
                label.fl for=(id) { (label) }
                input.in #(id) name=(name) value=(value) required[*is_required] autocomplete="off"
                    type="text";
            }
            Input::Number => {
                label.fl for=(id) { (label) }
                input.in #(id) name=(name) value=(value) required[*is_required] autocomplete="off"
                    type="number" min="0" step="any";
            }
            Input::Suggested(names) => {
                label.fl for=(id) { (label) }
                input.in #(id) name=(name) value=(value) required[*is_required] autocomplete="off"
                    list=(format_args!("{id}-l"));
                datalist #(format_args!("{id}-l")) { @for name in names { option value=(name) {} } }
            }
            Input::Json => {
                label.fl for=(id) { (label) }
                textarea.in.m #(id) name=(name) rows="6" data-json spellcheck="false"
                    required[*is_required] { (value) }
            }
            Input::Check => {
                label.nw {
                    input #(id) type="checkbox" name=(name) checked[value == "true"]; " " (label)
                }
            }
            Input::Hidden => { input type="hidden" name=(name) value=(value) data-json; }
        }
    }
}
