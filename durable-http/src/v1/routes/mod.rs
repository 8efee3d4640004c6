//! The table of routes, each with its description. The `OpenAPI` document is made from the table,
//! and parameters that a route does not list are refused.

mod backups;
mod batches;
mod entities;
mod hub;
mod instances;

use axum::http::Method;

use super::Refusal;
use crate::access::Role;
use crate::call::Call;
use crate::openapi::Operation;
use crate::route::{Answer, Route, Table};

pub(crate) static TABLE: Table<Refusal> = Table {
    routes: &[instances::ROUTES, batches::ROUTES, backups::ROUTES, entities::ROUTES, hub::ROUTES],
    ignores_case: false,
    is_open: false,
};

type Handler = fn(Call) -> Answer<Refusal>;

const fn get(template: &'static str, handler: Handler, operation: Operation) -> Route<Refusal> {
    Route::new(Method::GET, template, Role::Read, handler).described(operation)
}

const fn scan(template: &'static str, handler: Handler, operation: Operation) -> Route<Refusal> {
    get(template, handler, operation).scan()
}

const fn post(
    template: &'static str,
    role: Role,
    handler: Handler,
    operation: Operation,
) -> Route<Refusal> {
    Route::new(Method::POST, template, role, handler).described(operation)
}

const fn delete(
    template: &'static str,
    role: Role,
    handler: Handler,
    operation: Operation,
) -> Route<Refusal> {
    Route::new(Method::DELETE, template, role, handler).described(operation)
}
