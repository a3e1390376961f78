/**
 * `delivery_times` is a trigger that notes in `timed_at` when a delivery's `due_at` was set. A
 * `timed_at` in the future means that the clock was put back since; an update that leaves `due_at`
 * as it is then moves it to lie as far ahead as when it was set. It is a trigger because functions
 * of releases that do not know `timed_at` set `due_at` as well.
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
