/**
 * `saga_claim_2`: an earlier version of `saga_claim_3`, for processes of an earlier release. Claims
 * due runs of the definitions that the caller knows, the longest due first. VOLATILE, so that each
 * run is read in a snapshot taken after its work row was locked. If a due row still names an owner,
 * that owner's lease has ended, and the run's `lost` is raised.
 *
 * Each claim sets a new `move`, a random token that the next move has to name. After a failover two
 * processes can hold the same epoch of a run, but only one of them knows the token.
 */
export function claimRuns(schema: string): string {
  return `create function ${schema}.saga_claim_2(in_known json, in_owner text,
      in_lease_ms integer, in_limit integer)
    returns json language plpgsql volatile set enable_seqscan = off as $$
    declare
      taken text[];
    begin
      with due as materialized (
        select w.run_id from ${schema}.saga_work w
          where w.due_at <= now() and w.definition in (select json_array_elements_text(in_known))
          order by w.due_at
          limit in_limit
          for no key update skip locked
      ), updated as (
        update ${schema}.saga_work w
          set epoch = w.epoch + 1, move = gen_random_uuid()::text, move_epoch = w.epoch + 1,
            lost = w.lost + (w.owner is not null)::integer, owner = in_owner,
            due_at = clock_timestamp() + in_lease_ms * interval '1 millisecond',
            due_in_ms = in_lease_ms
          from due where w.run_id = due.run_id
          returning w.run_id
      )
      select array_agg(run_id) into taken from updated;
      return (select json_agg(${schema}.saga_snapshot_2(id)) from unnest(taken) id);
    end $$`
}
