/**
 * `saga_hold_2`: ties the transaction to a run, so that no other process can take the run until the
 * transaction ends. A process that has lost the run gets an error before its first write: OK003 if
 * the epoch or the name of the last move differs, OK004 if the run was cancelled (`in_state` is the
 * state in which its owner believes it to be).
 *
 * The lease is extended only when half of it has passed, so that a short step does not write to the
 * index. The server ends the transaction after `in_backstop_ms` without a statement, because a host
 * that disappears does not close its connection.
 */
export function holdRun(schema: string): string {
  return `create function ${schema}.saga_hold_2(in_run text, in_epoch bigint, in_move text,
      in_state text, in_lease_ms integer, in_backstop_ms integer)
    returns text language plpgsql volatile set enable_seqscan = off as $$
    declare
      held_until timestamptz;
      ignored text;
    begin
      select w.due_at into held_until from ${schema}.saga_work w
        where w.run_id = in_run and w.epoch = in_epoch and w.move = in_move
        for no key update;
      if not found then
        raise exception 'another process has this run of a saga' using errcode = 'OK003';
      end if;
      perform from ${schema}.saga_runs r where r.id = in_run and r.state = in_state;
      if not found then
        raise exception 'this run of a saga was cancelled' using errcode = 'OK004';
      end if;
      if held_until < clock_timestamp() + in_lease_ms * interval '0.5 milliseconds' then
        update ${schema}.saga_work
          set due_at = clock_timestamp() + in_lease_ms * interval '1 millisecond',
            due_in_ms = in_lease_ms
          where run_id = in_run;
      end if;
      ignored := set_config('oncekey.saga', in_run || ' ' || in_epoch || ' ' || in_move, true);
      if in_backstop_ms > 0 then
        ignored := set_config('idle_in_transaction_session_timeout', in_backstop_ms::text, true);
      end if;
      return 'held';
    end $$`
}
