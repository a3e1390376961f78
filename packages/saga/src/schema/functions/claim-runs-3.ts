/**
 * `saga_claim_3`: claims due runs of the definitions that the caller knows, the longest due first.
 * VOLATILE, so that each run is read in a snapshot taken after its work row was locked. If a due
 * row still names an owner, that owner's lease has ended, and the run's `lost` is raised.
 *
 * A run that has lost more than `in_most_lost` owners since its last move, with the one whose lease
 * has ended, is a suspect: it may be what ends its processes. It is claimed alone, and only once it
 * has been due for `in_suspect_wait_ms`; if that is null, never.
 *
 * Each claim sets a new `move`, a random token that the next move has to name. After a failover two
 * processes can hold the same epoch of a run, but only one of them knows the token.
 */
export function claimRunsOrSuspect(schema: string): string {
  return `create function ${schema}.saga_claim_3(in_known json, in_owner text,
      in_lease_ms integer, in_limit integer, in_most_lost integer, in_suspect_wait_ms integer)
    returns json language plpgsql volatile set enable_seqscan = off set jit = off as $$
    declare
      taken text[];
    begin
      with due as materialized (
        select w.run_id, w.due_at,
            w.lost + (w.owner is not null)::integer > in_most_lost as is_suspect
          from ${schema}.saga_work w
          where w.due_at <= now() and w.definition in (select json_array_elements_text(in_known))
            and ${isToBeTaken('w')}
          order by w.due_at
          limit in_limit
          for no key update skip locked
      ), placed as (
        select d.*, row_number() over longest_due as place,
            first_value(d.is_suspect) over longest_due as is_alone
          from due d
          window longest_due as (order by d.due_at, d.run_id)
      ), updated as (
        update ${schema}.saga_work w
          set epoch = w.epoch + 1, move = gen_random_uuid()::text, move_epoch = w.epoch + 1,
            lost = w.lost + (w.owner is not null)::integer, owner = in_owner,
            due_at = clock_timestamp() + in_lease_ms * interval '1 millisecond',
            due_in_ms = in_lease_ms
          from placed p
          where w.run_id = p.run_id
            and case when p.is_alone then p.place = 1 else not p.is_suspect end
          returning w.run_id
      )
      select array_agg(run_id) into taken from updated;
      return (select json_agg(${schema}.saga_snapshot_2(id)) from unnest(taken) id);
    end $$`
}

/** Whether a due run is no suspect, or one that has been due for long enough. */
export function isToBeTaken(work: string): string {
  return `(${work}.lost + (${work}.owner is not null)::integer <= in_most_lost
              or ${work}.due_at <= now() - in_suspect_wait_ms * interval '1 millisecond')`
}
