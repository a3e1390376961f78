/** The first version of `restart_lease_2`, for processes of an earlier release. */
export function restartLeaseFunction(schema: string): string {
  const may = (table: string, privilege: string): string =>
    `has_table_privilege('${schema.replaceAll("'", "''")}.${table}'::regclass, '${privilege}')`
  return `create function ${schema}.restart_lease(in_namespace text, in_scope text, in_key text)
    returns boolean language plpgsql volatile set enable_seqscan = off set jit = off
      set lock_timeout = '2s' as $$
    declare
      held record;
    begin
      if not (${may('attempts', 'update')} and ${may('leases', 'insert')}
        and ${may('leases', 'update')})
      then
        return false;
      end if;
      select a.token, coalesce(l.until, a.until) as until,
          case when l.token is null then a.lease_ms else l.lease_ms end as length
        into held
        from ${schema}.attempts a left join ${schema}.leases l on l.token = a.token
        where a.namespace = in_namespace and a.scope = in_scope and a.key = in_key
        for no key update of a skip locked;
      if not found then
        return false;
      end if;
      if held.token is null then
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
