/**
 * `saga_record_4`: writes a move as `saga_record_3` does, with one exception: if the move is
 * `whole` and the run was cancelled meanwhile, it raises OK004 and writes nothing. The transaction
 * of a local step that cannot be undone is then rolled back, with the step's writes and events.
 */
export function recordOrNothing(schema: string): string {
  return `create function ${schema}.saga_record_4(in_run text, in_epoch bigint, in_move text,
      in_next_move text, in_state text, in_lease_ms integer, in_within boolean,
      in_guarded boolean, in_own integer, in_record json, in_events json)
    returns text language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
    declare
      outcome text;
    begin
      outcome := ${schema}.saga_record_3(in_run, in_epoch, in_move, in_next_move, in_state,
        in_lease_ms, in_within, in_guarded, in_own, in_record, in_events);
      if outcome = 'cancelled' and (in_record->>'whole')::boolean then
        raise exception 'this run of a saga was cancelled' using errcode = 'OK004';
      end if;
      return outcome;
    end $$`
}
