import { refuseDropped } from '@oncekey/postgres/client'
import { isToBeTaken } from './claim-runs-3.ts'

/**
 * `saga_take_4`: takes one run. Without an epoch, only if the run is due, and a suspect only if
 * `saga_claim_3` would claim it. With the epoch and name of its owner, the caller retakes its own
 * run, to learn how a commit ended whose answer was lost, or where to continue after a
 * cancellation; this waits for a commit that may still be under way. Raises if a trigger drops the
 * write: two processes would drive the run.
 */
export function takeRunOrSuspect(schema: string): string {
  return `create function ${schema}.saga_take_4(in_run text, in_epoch bigint, in_owner text,
      in_lease_ms integer, in_most_lost integer, in_suspect_wait_ms integer)
    returns json language plpgsql volatile set enable_seqscan = off
      set jit = off as $$
    begin
      if in_epoch is null then
        perform from ${schema}.saga_work w
          where w.run_id = in_run and w.due_at <= now()
            and ${isToBeTaken('w')}
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
      ${refuseDropped('saga_work')}
      return ${schema}.saga_snapshot_2(in_run);
    end $$`
}
