//! Settings of features: name, type, default, unit and what they do, said once.

use std::collections::BTreeMap;

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionValue {
    /// A yes or no.
    Flag(bool),
    /// A whole number in the option's unit.
    Number(u64),
    /// A text.
    Text(String),
}

/// A default that can stand in a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionDefault {
    /// A yes or no.
    Flag(bool),
    /// A whole number with the least and greatest allowed.
    Number {
        /// Value.
        value: u64,
        /// Least allowed.
        min: u64,
        /// Greatest allowed.
        max: u64,
    },
}

/// A setting of a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionSpec {
    /// Key in the section `[options]` of the configuration file.
    pub name: &'static str,
    /// Type and default.
    pub default: OptionDefault,
    /// Unit, empty for a yes or no.
    pub unit: &'static str,
    /// What it does, one sentence.
    pub doc: &'static str,
}

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// No feature has it.
    #[error("there is no option '{0}'")]
    Unknown(String),
    /// Of another type.
    #[error("option '{name}' must be {expected}")]
    Type {
        /// Key.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// Too small or too great.
    #[error("option '{name}' must lie between {min} and {max} {unit}")]
    Range {
        /// Key.
        name: &'static str,
        /// Least.
        min: u64,
        /// Greatest.
        max: u64,
        /// Unit.
        unit: &'static str,
    },
}

/// Checked settings of all features.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options(BTreeMap<&'static str, OptionValue>);

impl Options {
    /// Checks `given` against `specs` and fills in defaults.
    pub fn new<'a>(
        specs: impl Iterator<Item = &'a OptionSpec>,
        given: &BTreeMap<String, OptionValue>,
    ) -> Result<Options, OptionError> {
        let mut options = BTreeMap::new();
        for spec in specs {
            let value = match (given.get(spec.name), spec.default) {
                (None, OptionDefault::Flag(value)) => OptionValue::Flag(value),
                (None, OptionDefault::Number { value, .. }) => OptionValue::Number(value),
                (Some(value @ OptionValue::Flag(_)), OptionDefault::Flag(_)) => value.clone(),
                (Some(OptionValue::Number(value)), OptionDefault::Number { min, max, .. }) => {
                    if !(min..=max).contains(value) {
                        return Err(OptionError::Range {
                            name: spec.name,
                            min,
                            max,
                            unit: spec.unit,
                        });
                    }
                    OptionValue::Number(*value)
                }
                (Some(_), OptionDefault::Flag(_)) => {
                    return Err(OptionError::Type {
                        name: spec.name,
                        expected: "true or false",
                    });
                }
                (Some(_), OptionDefault::Number { .. }) => {
                    return Err(OptionError::Type {
                        name: spec.name,
                        expected: "a whole number",
                    });
                }
            };
            options.insert(spec.name, value);
        }
        match given
            .keys()
            .find(|name| !options.contains_key(name.as_str()))
        {
            Some(unknown) => Err(OptionError::Unknown(unknown.clone())),
            None => Ok(Options(options)),
        }
    }

    /// A number; 0 for an option that does not exist, which the registry's test rules out.
    pub fn number(&self, spec: &OptionSpec) -> u64 {
        match self.0.get(spec.name) {
            Some(OptionValue::Number(value)) => *value,
            _ => 0,
        }
    }

    /// A yes or no.
    pub fn flag(&self, spec: &OptionSpec) -> bool {
        matches!(self.0.get(spec.name), Some(OptionValue::Flag(true)))
    }
}
