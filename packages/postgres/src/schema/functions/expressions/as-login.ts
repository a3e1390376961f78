/**
 * The head of a function that ends an attempt inside the handler's transaction. The handler may
 * have set another role there (`SET LOCAL ROLE`, for row-level security) or another `search_path`,
 * so names are resolved in the system schema only.
 */
export const IN_HANDLERS_TRANSACTION = 'set search_path = pg_catalog, pg_temp'

/** Declares the variables that `asLogin` and `asHandler` need, in a plpgsql function. */
export const ROLE_OF_HANDLER = 'role_of_handler text;'

/**
 * From this point in the function on, statements run as the role that logged in. The role is left
 * as it is if the condition `mayWrite` says that it can write by itself. The rights are those after
 * a RESET ROLE in the same session: a login without a grant is refused by the tables. The change
 * fails where PostgreSQL forbids it: inside a SECURITY DEFINER function, or in an index expression
 * under ANALYZE.
 */
export function asLogin(mayWrite: string): string {
  return `if not (${mayWrite}) then
        role_of_handler := current_setting('role');
        perform set_config('role', 'none', true);
      end if;`
}

/** For `asLogin`: whether the current role may write a record, and events if there are any. */
export function mayWriteRecord(schema: string): string {
  return `${mayInsert(schema, 'records')} and (in_events is null or ${mayInsert(schema, 'outbox')})`
}

/** For `asLogin`: whether the current role may insert into a table. */
export function mayInsert(schema: string, table: 'records' | 'outbox'): string {
  return `has_table_privilege('${schema.replaceAll("'", "''")}.${table}'::regclass, 'insert')`
}

/** Restores the handler's role, because triggers deferred to COMMIT must run in it. */
export function asHandler(): string {
  return `if role_of_handler is not null then
        perform set_config('role', role_of_handler, true);
      end if;`
}
