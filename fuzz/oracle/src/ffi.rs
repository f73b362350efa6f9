//! The part of `expat.h` that is used.

use std::ffi::{c_char, c_int, c_void};

#[repr(C)]
pub(crate) struct Parser {
    opaque: [u8; 0],
}

pub(crate) const STATUS_OK: c_int = 1;

pub(crate) type OnStart = unsafe extern "C" fn(*mut c_void, *const c_char, *const *const c_char);
pub(crate) type OnEnd = unsafe extern "C" fn(*mut c_void, *const c_char);
pub(crate) type OnText = unsafe extern "C" fn(*mut c_void, *const c_char, c_int);
pub(crate) type OnComment = unsafe extern "C" fn(*mut c_void, *const c_char);
pub(crate) type OnInstruction = unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char);
pub(crate) type OnDoctype =
    unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char, *const c_char, c_int);

#[link(name = "expat")]
unsafe extern "C" {
    pub(crate) fn XML_ParserCreateNS(encoding: *const c_char, separator: c_char) -> *mut Parser;
    pub(crate) fn XML_ParserFree(parser: *mut Parser);
    pub(crate) fn XML_SetUserData(parser: *mut Parser, user: *mut c_void);
    pub(crate) fn XML_SetElementHandler(
        parser: *mut Parser,
        start: Option<OnStart>,
        end: Option<OnEnd>,
    );
    pub(crate) fn XML_SetCharacterDataHandler(parser: *mut Parser, handler: Option<OnText>);
    pub(crate) fn XML_SetCommentHandler(parser: *mut Parser, handler: Option<OnComment>);
    pub(crate) fn XML_SetProcessingInstructionHandler(
        parser: *mut Parser,
        handler: Option<OnInstruction>,
    );
    pub(crate) fn XML_SetStartDoctypeDeclHandler(parser: *mut Parser, handler: Option<OnDoctype>);
    pub(crate) fn XML_Parse(
        parser: *mut Parser,
        bytes: *const c_char,
        length: c_int,
        last: c_int,
    ) -> c_int;
    pub(crate) fn XML_StopParser(parser: *mut Parser, resumable: u8) -> c_int;
    pub(crate) fn XML_GetErrorCode(parser: *mut Parser) -> c_int;
    pub(crate) fn XML_ErrorString(code: c_int) -> *const c_char;
}
