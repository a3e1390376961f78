/**
 * Sets the time of an attempt right that lies further ahead than it can: the clock of the server
 * was put back since it was written. A lease begins again with its own length, as a claim of lease
 * mode has it, and an attempt that nobody has any more is over. Returns whether there was something
 * to set right; if so, the caller asks again.
 *
 * An attempt that was given back while it was being committed is over as well: no handler runs
 * under it. If it was the first, the key is free; if not, the outcome is unknown of the attempt
 * that it had taken over.
 *
 * For those who only read such times: a store in transaction mode, and an operator. A login that
 * may not write them leaves them as they are. A row that somebody has locked is running, whatever
 * its time says.
 */
export function restartLease2(schema: string): string {
  const may = (table: string, privilege: string): string =>
    `has_table_privilege('${schema.replaceAll("'", "''")}.${table}'::regclass, '${privilege}')`
  return `create function ${schema}.restart_lease_2(in_namespace text, in_scope text, in_key text)
    returns boolean language plpgsql volatile set enable_seqscan = off set jit = off
      set lock_timeout = '2s' as $$
    declare
      held record;
    begin
      if not (${may('attempts', 'update')} and ${may('attempts', 'delete')}
        and ${may('leases', 'insert')} and ${may('leases', 'update')})
      then
        return false;
      end if;
      select a.token, a.number, coalesce(l.until, a.until) as until,
          case when l.token is null then a.lease_ms else l.lease_ms end as length,
          l.token is not null and l.until is null as is_given_back
        into held
        from ${schema}.attempts a left join ${schema}.leases l on l.token = a.token
        where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
        for no key update of a skip locked;
      if not found then
        return false;
      end if;
      if held.is_given_back and held.number = 1 then
        delete from ${schema}.attempts a
          where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key;
        return found;
      end if;
      if held.is_given_back or held.token is null then
        update ${schema}.attempts a set until = clock_timestamp()
          where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
            and a.until > clock_timestamp();
        return found;
      end if;
      insert into ${schema}.leases (token, until, lease_ms)
        select held.token, clock_timestamp() + held.length * interval '1 millisecond', held.length
          where held.until > clock_timestamp() + held.length * interval '1 millisecond'
        on conflict (token) do update set until = excluded.until where leases.until = held.until;
      return found;
    end $$`
}
