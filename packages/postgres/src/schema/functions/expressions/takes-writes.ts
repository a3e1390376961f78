/**
 * Refuses with 25006 on a server that takes no writes: a standby, or one configured as read-only.
 * For statements that write nothing themselves: what they would read there may be outdated, or
 * abandoned by a failover, and must not be returned.
 */
export function takesWritesFunction(schema: string): string {
  return `create function ${schema}.takes_writes() returns boolean language plpgsql volatile as $$
    begin
      ${REFUSE_READ_ONLY}
      return true;
    end $$`
}

export const REFUSE_READ_ONLY = `if current_setting('transaction_read_only') = 'on' then
        raise exception 'this server takes no writes'
          using errcode = 'read_only_sql_transaction';
      end if;`
