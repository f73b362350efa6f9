//! [XEP-0004: Data Forms](https://xmpp.org/extensions/xep-0004.html)
//!
//! Conversation: `xep_0077_registration.md`

use super::xep_0122_validation::Validate;
use crate::payload::{keywords, payload};

/// Namespace of data forms.
pub const NS: &str = "jabber:x:data";

/// Name of the field that says which form it is (XEP-0068).
pub const FORM_TYPE: &str = "FORM_TYPE";

payload! {
    /// A form to fill in, filled in, or a result (§3).
    pub struct DataForm(NS, "x") {
        /// What the form is for.
        kind: FormKind = attr("type"),
        /// A title for people.
        title: Option<String> = text_child("title"),
        /// Instructions for people, one paragraph each.
        instructions: Vec<String> = text_child("instructions"),
        /// The fields.
        fields: Vec<Field> = child(),
        /// Head of a table: which columns the items have (§3.4).
        reported: Option<Reported> = child(),
        /// Rows of a table.
        items: Vec<Item> = child(),
    }
}

keywords! {
    /// What a form is for (§3.1).
    pub enum FormKind {
        /// Somebody is asked not to fill it in after all.
        Cancel = "cancel",
        /// To be filled in.
        Form = "form",
        /// The outcome, or data as such.
        Result = "result",
        /// Filled in.
        Submit = "submit",
    }
}

payload! {
    /// One field (§3.2).
    pub struct Field(NS, "field") {
        /// Its name within the form. Missing only in [`FieldKind::Fixed`].
        var: Option<String> = attr("var"),
        /// What can be filled in. Missing and unknown ones are [`FieldKind::TextSingle`] in a form, and
        /// known to both sides otherwise.
        kind: Option<FieldKind> = known_attr("type"),
        /// What people call it.
        label: Option<String> = attr("label"),
        /// More about it for people.
        desc: Option<String> = text_child("desc"),
        /// Whether it must be filled in.
        required: bool = flag("required"),
        /// What it is filled in with, or the default.
        values: Vec<String> = text_child("value"),
        /// What can be chosen.
        options: Vec<Choice> = child(),
        /// What its values must look like (XEP-0122).
        validate: Option<Validate> = child(),
    }
}

keywords! {
    /// What can be filled in (§3.3).
    pub enum FieldKind {
        /// Yes or no: `true`, `1`, `false`, `0`.
        Boolean = "boolean",
        /// Nothing: a text for people.
        Fixed = "fixed",
        /// Nothing: goes back as it came.
        Hidden = "hidden",
        /// Addresses.
        JidMulti = "jid-multi",
        /// An address.
        JidSingle = "jid-single",
        /// Some of the options.
        ListMulti = "list-multi",
        /// One of the options.
        ListSingle = "list-single",
        /// Lines of text, one a value.
        TextMulti = "text-multi",
        /// A line of text not to be shown.
        TextPrivate = "text-private",
        /// A line of text.
        TextSingle = "text-single",
    }
}

payload! {
    /// What can be chosen in a list (§3.2).
    pub struct Choice(NS, "option") {
        /// What people call it.
        label: Option<String> = attr("label"),
        /// What it is filled in with.
        value: String = text_child("value"),
    }
}

payload! {
    /// The columns of a table (§3.4).
    pub struct Reported(NS, "reported") {
        /// One a column, without values.
        fields: Vec<Field> = child(),
    }
}

payload! {
    /// A row of a table (§3.4).
    pub struct Item(NS, "item") {
        /// One a column.
        fields: Vec<Field> = child(),
    }
}

impl DataForm {
    /// A form without fields.
    pub fn new(kind: FormKind) -> DataForm {
        DataForm {
            kind,
            title: None,
            instructions: Vec::new(),
            fields: Vec::new(),
            reported: None,
            items: Vec::new(),
        }
    }

    /// A form that says which one it is (XEP-0068).
    pub fn of_type(kind: FormKind, form_type: &str) -> DataForm {
        DataForm::new(kind).with_field(Field {
            kind: Some(FieldKind::Hidden),
            ..Field::new(FORM_TYPE, [form_type])
        })
    }

    /// The form with one more field.
    #[must_use]
    pub fn with_field(mut self, field: Field) -> DataForm {
        self.fields.push(field);
        self
    }

    /// Which form it is, if it says so in a hidden field (XEP-0068 §3.1); in what is submitted, clients
    /// leave the kind of field out.
    pub fn form_type(&self) -> Option<&str> {
        self.field(FORM_TYPE)
            .filter(|field| self.kind == FormKind::Submit || field.kind == Some(FieldKind::Hidden))
            .and_then(Field::value)
    }

    /// The field of this name.
    pub fn field(&self, var: &str) -> Option<&Field> {
        self.fields
            .iter()
            .find(|field| field.var.as_deref() == Some(var))
    }

    /// The first value of the field of this name.
    pub fn value(&self, var: &str) -> Option<&str> {
        self.field(var).and_then(Field::value)
    }
}

impl Field {
    /// A field with values, of no particular kind.
    pub fn new<'a>(var: &str, values: impl IntoIterator<Item = &'a str>) -> Field {
        Field {
            var: Some(var.to_owned()),
            kind: None,
            label: None,
            desc: None,
            required: false,
            values: values.into_iter().map(str::to_owned).collect(),
            options: Vec::new(),
            validate: None,
        }
    }

    /// The field with a kind.
    #[must_use]
    pub fn with_kind(self, kind: FieldKind) -> Field {
        Field {
            kind: Some(kind),
            ..self
        }
    }

    /// The field with a label for people.
    #[must_use]
    pub fn with_label(self, label: impl Into<String>) -> Field {
        Field {
            label: Some(label.into()),
            ..self
        }
    }

    /// The field, to be filled in without fail.
    #[must_use]
    pub fn required(self) -> Field {
        Field {
            required: true,
            ..self
        }
    }

    /// Its first value.
    pub fn value(&self) -> Option<&str> {
        self.values.first().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};
    use crate::payload::{PayloadError, TextFault};

    /// Example 2, shortened: the fields in another order than ours.
    #[test]
    fn a_form_to_fill_in() {
        let form = read::<DataForm>(
            "<x xmlns='jabber:x:data' type='form'>
               <title>Bot Configuration</title>
               <instructions>Fill out this form to configure your new bot!</instructions>
               <field type='hidden' var='FORM_TYPE'><value>jabber:bot</value></field>
               <field type='fixed'><value>Section 1: Bot Info</value></field>
               <field type='boolean' label='Public bot?' var='public'><required/></field>
               <field type='list-single' label='Maximum number of subscribers' var='maxsubs'>
                 <value>20</value>
                 <option label='10'><value>10</value></option>
                 <option label='None'><value>none</value></option>
               </field>
               <field type='jid-multi' label='People to invite' var='invitelist'>
                 <desc>Tell all your friends about your new bot!</desc>
               </field>
             </x>",
        )
        .unwrap();
        assert_eq!(form.kind, FormKind::Form);
        assert_eq!(form.form_type(), Some("jabber:bot"));
        assert_eq!(
            form.instructions,
            ["Fill out this form to configure your new bot!"]
        );
        assert_eq!(form.fields[1].var, None);
        assert!(form.field("public").unwrap().required);
        assert_eq!(form.value("maxsubs"), Some("20"));
        let options = &form.field("maxsubs").unwrap().options;
        assert_eq!(
            options[1],
            Choice {
                label: Some("None".into()),
                value: "none".into()
            }
        );
        let desc = form.field("invitelist").unwrap().desc.as_deref();
        assert_eq!(desc, Some("Tell all your friends about your new bot!"));
    }

    /// Example 3, shortened.
    #[test]
    fn filled_in() {
        let form = written::<DataForm>(
            "<x xmlns='jabber:x:data' type='submit'>\
             <field type='hidden' var='FORM_TYPE'><value>jabber:bot</value></field>\
             <field type='boolean' var='public'><value>0</value></field>\
             <field type='list-multi' var='features'><value>news</value><value>search</value></field>\
             </x>",
        );
        let own = DataForm::of_type(FormKind::Submit, "jabber:bot")
            .with_field(Field::new("public", ["0"]).with_kind(FieldKind::Boolean))
            .with_field(Field::new("features", ["news", "search"]).with_kind(FieldKind::ListMulti));
        assert_eq!(form, own);
        assert_eq!(form.value("nothing"), None);
    }

    /// Example 8, shortened.
    #[test]
    fn a_table() {
        let form = written::<DataForm>(
            "<x xmlns='jabber:x:data' type='result'><title>Joogle Search: verona</title>\
             <reported><field var='name'/><field var='url'/></reported>\
             <item><field var='name'><value>benvenuto!</value></field>\
             <field var='url'><value>http://www.hellasverona.it/</value></field></item></x>",
        );
        assert_eq!(form.reported.unwrap().fields.len(), 2);
        assert_eq!(
            form.items[0].fields[1].value(),
            Some("http://www.hellasverona.it/")
        );
    }

    #[test]
    fn the_form_type_is_hidden() {
        let open = DataForm::new(FormKind::Result).with_field(Field::new(FORM_TYPE, ["x"]));
        assert_eq!(open.form_type(), None);
        assert_eq!(
            DataForm {
                kind: FormKind::Submit,
                ..open
            }
            .form_type(),
            Some("x")
        );
    }

    #[test]
    fn wrong_forms() {
        assert_eq!(
            read::<DataForm>("<x xmlns='jabber:x:data'/>"),
            Err(PayloadError::NoAttribute {
                element: "x",
                attribute: "type"
            })
        );
        assert_eq!(
            read::<DataForm>("<x xmlns='jabber:x:data' type='maybe'/>"),
            Err(PayloadError::Attribute {
                element: "x",
                attribute: "type",
                fault: TextFault::Keyword
            })
        );
        assert_eq!(
            read::<Choice>("<option xmlns='jabber:x:data'/>"),
            Err(PayloadError::NoChild {
                element: "option",
                child: "value"
            })
        );
        let unknown = "<field xmlns='jabber:x:data' var='x' type='colour'/>";
        assert_eq!(read::<Field>(unknown).unwrap().kind, None);
    }
}
