/**
 * `delivery_times` is a trigger that notes in `timed_at` when a delivery's `due_at` was set. If
 * `timed_at` is in the future, the clock was put back since. An update that leaves `due_at`
 * unchanged then moves it, so that it is as far ahead of the present as it was when it was set.
 * This is a trigger because functions of earlier releases set `due_at` without knowing `timed_at`.
 */
export function deliveryTimes(schema: string): string[] {
  return [
    `create function ${schema}.delivery_times() returns trigger language plpgsql as $$
    begin
      if new.due_at = old.due_at and old.due_at < 'infinity'
          and old.timed_at > clock_timestamp() + interval '5 seconds' then
        new.due_at := least(old.due_at, now() + (old.due_at - old.timed_at));
      end if;
      new.timed_at := now();
      return new;
    end $$`,
    `create trigger delivery_times before update of due_at on ${schema}.deliveries
      for each row execute function ${schema}.delivery_times()`,
  ]
}
