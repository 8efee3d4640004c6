//! The entity of these cases: an account, from which two operations are asked.

use durable::__private::EntityRef;
use durable::{DynamicHandle, DynamicLocked, EntityHandle, EntityId, LockedOperation, Operation};

pub struct Account;

impl Account {
    pub fn at(key: &str) -> AccountHandle {
        AccountHandle(EntityId::new("Account", key).unwrap().handle())
    }
}

pub struct AccountHandle(DynamicHandle);

impl AccountHandle {
    pub fn withdraw(&self, cents: i64) -> Operation<()> {
        self.0.operation("withdraw", &cents)
    }

    pub fn deposit(&self, cents: i64) -> Operation<()> {
        self.0.operation("deposit", &cents)
    }
}

pub struct LockedAccount(DynamicLocked);

impl LockedAccount {
    pub fn withdraw(&mut self, cents: i64) -> LockedOperation<'_, ()> {
        self.0.operation("withdraw", &cents)
    }

    pub fn deposit(&mut self, cents: i64) -> LockedOperation<'_, ()> {
        self.0.operation("deposit", &cents)
    }
}

impl EntityHandle for AccountHandle {
    type Locked = LockedAccount;

    fn entity(&self) -> &EntityRef {
        self.0.entity()
    }

    fn locked(self) -> LockedAccount {
        LockedAccount(self.0.locked())
    }
}
