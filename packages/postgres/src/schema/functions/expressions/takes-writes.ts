/**
 * Raises 25006 on a server that takes no writes: a standby, or a server configured as read-only. It
 * is called by statements that write nothing themselves: their result could be outdated there, or
 * be lost in a failover, and must not be returned.
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
