/**
 * `saga_settle_3`: ends a run that somebody has repaired by hand, if it is stuck or waits. A run
 * that a process drives is not changed: if the lock of its work row is taken, a step is under way,
 * and the function returns the run's state instead of waiting for that lock.
 */
export function settleRun(schema: string): string {
  return `create function ${schema}.saga_settle_3(in_run text, in_note text) returns text
    language plpgsql volatile as $$
    declare
      was text;
    begin
      select r.state into was from ${schema}.saga_runs r where r.id = in_run for no key update;
      if not found then
        return null;
      end if;
      perform from ${schema}.saga_work w
        where w.run_id = in_run and (w.owner is null or w.due_at <= clock_timestamp())
        for no key update skip locked;
      if not found then
        return was;
      end if;
      update ${schema}.saga_runs
        set state = 'settled', note = in_note, stuck_at = null, ended_at = clock_timestamp()
        where id = in_run;
      delete from ${schema}.saga_work where run_id = in_run;
      return 'settled';
    end $$`
}
