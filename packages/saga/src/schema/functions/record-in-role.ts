/**
 * `saga_record_3`: writes a move as `saga_record_2` does, at the end of a transaction in which the
 * step may have set another role (`SET LOCAL ROLE`, for row-level security) or another
 * `search_path`. If the current role may not write runs, the move is written as the role that
 * logged in, as after a RESET ROLE. So this function cannot be SECURITY DEFINER: PostgreSQL does
 * not let such a function change the role. Triggers deferred to COMMIT run in the step's role.
 */
export function recordInRole(schema: string): string {
  return `create function ${schema}.saga_record_3(in_run text, in_epoch bigint, in_move text,
      in_next_move text, in_state text, in_lease_ms integer, in_within boolean,
      in_guarded boolean, in_own integer, in_record json, in_events json)
    returns text language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
    declare
      role_of_step text;
      outcome text;
    begin
      if not has_table_privilege('${schema.replaceAll("'", "''")}.saga_work'::regclass, 'update') then
        role_of_step := current_setting('role');
        perform set_config('role', 'none', true);
      end if;
      outcome := ${schema}.saga_record_2(in_run, in_epoch, in_move, in_next_move, in_state,
        in_lease_ms, in_within, in_guarded, in_own, in_record, in_events);
      if role_of_step is not null then
        perform set_config('role', role_of_step, true);
      end if;
      return outcome;
    end $$`
}
