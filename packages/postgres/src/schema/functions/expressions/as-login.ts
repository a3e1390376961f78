/**
 * The head of a function that ends an attempt in the handler's transaction, which the handler may have
 * given another role (`SET LOCAL ROLE`, for row-level security), another `search_path`, or both. Names
 * are looked up in the system's schema alone.
 */
export const IN_HANDLERS_TRANSACTION = 'set search_path = pg_catalog, pg_temp'

/** Declares what `asLogin` and `asHandler` need, in a function of plpgsql. */
export const ROLE_OF_HANDLER = 'role_of_handler text;'

/**
 * From here on as the role that logged in, unless the role at the moment may write by itself, which the
 * condition `mayWrite` says. It has the rights of a RESET ROLE by the same session and no other: who logs
 * in without a grant is refused by the tables, and where PostgreSQL forbids a change of role, because a
 * function of somebody else is running (SECURITY DEFINER, an index expression under ANALYZE), this fails.
 */
export function asLogin(mayWrite: string): string {
  return `if not (${mayWrite}) then
        role_of_handler := current_setting('role');
        perform set_config('role', 'none', true);
      end if;`
}

/** For `asLogin`: whether the role at the moment may write a record, and the events where there are any. */
export function mayWriteRecord(schema: string): string {
  return `${mayInsert(schema, 'records')} and (in_events is null or ${mayInsert(schema, 'outbox')})`
}

/** For `asLogin`: whether the role at the moment may insert into a table. */
export function mayInsert(schema: string, table: 'records' | 'outbox'): string {
  return `has_table_privilege('${schema.replaceAll("'", "''")}.${table}'::regclass, 'insert')`
}

/** And from here on as before: what is deferred to COMMIT runs in the handler's role. */
export function asHandler(): string {
  return `if role_of_handler is not null then
        perform set_config('role', role_of_handler, true);
      end if;`
}
