//! The macro that writes payload types; its language is described at [`crate::payload`].

/// Makes a payload type of an element.
macro_rules! payload {
    (
        $(#[$meta:meta])*
        pub struct $name:ident($ns:expr, $element:literal) {
            $($(#[$field_meta:meta])* $field:ident: $ty:ty = $place:ident($($arg:tt)*),)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name { $($(#[$field_meta])* pub $field: $ty,)* }

        impl $crate::payload::Payload for $name {
            const NS: &'static str = $ns;
            const NAME: &'static str = $element;

            fn read(
                element: &waxwing_wire::Element,
            ) -> Result<$name, $crate::payload::PayloadError> {
                $crate::payload::expect_element::<$name>(element)?;
                Ok($name {
                    $($field: $crate::payload::payload!(
                        @read $name, element, $ty, $place($($arg)*)
                    )?,)*
                })
            }

            fn write(&self) -> waxwing_wire::Element {
                #[allow(unused_mut, reason = "an element without fields is not changed")]
                let mut element = waxwing_wire::Element::new($ns, $element);
                $($crate::payload::payload!(
                    @write $name, element, self.$field, $place($($arg)*)
                );)*
                element
            }
        }

        #[cfg(test)]
        impl $crate::payload::testing::Sample for $name {
            #[allow(unused_variables, reason = "a type without fields needs no source")]
            fn sample(source: &mut $crate::payload::testing::Source<'_>) -> $name {
                $name { $($field: $crate::payload::testing::Sample::sample(source),)* }
            }
        }

        #[cfg(test)]
        #[test]
        #[allow(non_snake_case, reason = "the test is called as the type is")]
        fn $name() {
            $crate::payload::testing::check::<$name>();
        }
    };

    (@read $name:ident, $element:ident, $ty:ty, attr($attr:literal)) => {
        $crate::payload::read_attr::<$name, $ty>($element, $attr)
    };
    (@read $name:ident, $element:ident, $ty:ty, attr($attr:literal, $default:expr)) => {
        $crate::payload::read_attr_or::<$name, $ty>($element, $attr, $default)
    };
    (@read $name:ident, $element:ident, $ty:ty, known_attr($attr:literal)) => {
        Ok::<$ty, $crate::payload::PayloadError>(
            $crate::payload::read_attr::<$name, $ty>($element, $attr).unwrap_or_default(),
        )
    };
    (@read $name:ident, $element:ident, $ty:ty, text()) => {
        $crate::payload::read_text::<$name, $ty>($element)
    };
    (@read $name:ident, $element:ident, $ty:ty, child()) => {
        $crate::payload::read_child::<$name, $ty>($element)
    };
    (@read $name:ident, $element:ident, $ty:ty, text_child($child:literal)) => {
        $crate::payload::read_text_child::<$name, $ty>($element, $child)
    };
    (@read $name:ident, $element:ident, $ty:ty, flag($child:literal)) => {
        $crate::payload::read_flag::<$name>($element, $child)
    };
    (@read $name:ident, $element:ident, $ty:ty, by($read:path, $write:path)) => {
        $read($element)
    };

    (@write $name:ident, $element:ident, $value:expr, attr($attr:literal)) => {
        $crate::payload::write_attr(&mut $element, $attr, &$value, None)
    };
    (@write $name:ident, $element:ident, $value:expr, attr($attr:literal, $default:expr)) => {
        $crate::payload::write_attr(&mut $element, $attr, &$value, Some(&$default))
    };
    (@write $name:ident, $element:ident, $value:expr, known_attr($attr:literal)) => {
        $crate::payload::write_attr(&mut $element, $attr, &$value, Some(&Default::default()))
    };
    (@write $name:ident, $element:ident, $value:expr, text()) => {
        $crate::payload::write_text(&mut $element, &$value)
    };
    (@write $name:ident, $element:ident, $value:expr, child()) => {
        $crate::payload::write_child(&mut $element, &$value)
    };
    (@write $name:ident, $element:ident, $value:expr, text_child($child:literal)) => {
        $crate::payload::write_text_child::<$name, _>(&mut $element, $child, &$value)
    };
    (@write $name:ident, $element:ident, $value:expr, flag($child:literal)) => {
        $crate::payload::write_flag::<$name>(&mut $element, $child, $value)
    };
    (@write $name:ident, $element:ident, $value:expr, by($read:path, $write:path)) => {
        $write(&mut $element, &$value)
    };
}

pub(crate) use payload;
