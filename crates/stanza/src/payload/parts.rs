//! Children of which any may stand in any order, where the order and the number say something.

/// Makes an enum of payload types, for a field of a payload that keeps all of them in order:
/// `parts: Vec<Part> = by(Part::read_all, Part::write_all)`. Children of other types are ignored.
macro_rules! parts {
    (
        $(#[$meta:meta])*
        pub enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident($ty:ty),)+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_meta])* $variant($ty),)+ }

        impl $name {
            fn read_all(
                parent: &waxwing_wire::Element,
            ) -> Result<Vec<$name>, $crate::payload::PayloadError> {
                use $crate::payload::Payload;
                let mut parts = Vec::new();
                for child in parent.children() {
                    $(if <$ty as Payload>::is(child) {
                        parts.push($name::$variant(<$ty as Payload>::read(child)?));
                    })+
                }
                Ok(parts)
            }

            fn write_all(parent: &mut waxwing_wire::Element, parts: &[$name]) {
                for part in parts {
                    parent.push(match part {
                        $($name::$variant(part) => $crate::payload::Payload::write(part),)+
                    });
                }
            }
        }

        $(impl From<$ty> for $name {
            fn from(part: $ty) -> $name {
                $name::$variant(part)
            }
        })+

        #[cfg(test)]
        impl $crate::payload::testing::Sample for $name {
            fn sample(source: &mut $crate::payload::testing::Source<'_>) -> $name {
                let samples: &[fn(&mut $crate::payload::testing::Source<'_>) -> $name] = &[
                    $(|source| $name::$variant($crate::payload::testing::Sample::sample(source)),)+
                ];
                samples[source.below(samples.len())](source)
            }
        }
    };
}

pub(crate) use parts;
