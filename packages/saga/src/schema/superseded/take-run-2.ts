/**
 * `saga_take_2`: takes one run. Without an epoch, it takes the run only if the run is due. With the
 * epoch and name of the run's owner, the owner takes its own run again: to learn how a commit ended
 * whose reply was lost, or where to continue after a cancellation. It then waits for a commit that
 * may still be under way.
 */
export function takeRun(schema: string): string {
  return `create function ${schema}.saga_take_2(in_run text, in_epoch bigint, in_owner text,
      in_lease_ms integer)
    returns json language plpgsql volatile set enable_seqscan = off as $$
    begin
      if in_epoch is null then
        perform from ${schema}.saga_work w
          where w.run_id = in_run and w.due_at <= now()
          for no key update skip locked;
      else
        perform set_config('lock_timeout', '4s', true);
        perform from ${schema}.saga_work w
          where w.run_id = in_run and w.epoch = in_epoch and w.owner = in_owner
          for no key update;
      end if;
      if not found then
        return null;
      end if;
      update ${schema}.saga_work w
        set epoch = w.epoch + 1, move = gen_random_uuid()::text, move_epoch = w.epoch + 1,
          lost = w.lost + (in_epoch is null and w.owner is not null)::integer,
          owner = in_owner, due_at = clock_timestamp() + in_lease_ms * interval '1 millisecond',
          due_in_ms = in_lease_ms
        where w.run_id = in_run;
      return ${schema}.saga_snapshot_2(in_run);
    end $$`
}
