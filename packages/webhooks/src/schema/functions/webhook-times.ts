/**
 * `webhook_delivery_times` and `webhook_endpoint_times` are triggers that note in `timed_at` when
 * the times of a row were set. If `timed_at` is in the future, the clock was put back since. An
 * update then moves those times of the row that it leaves unchanged, so that they are as far ahead
 * of the present as they were when they were set. These are triggers because earlier releases set
 * times without knowing `timed_at`.
 */
export function whenTimesWereSet(schema: string): string[] {
  return [
    triggerFunction(schema, 'webhook_delivery_times', ['due_at', 'leased_until']),
    `create trigger webhook_delivery_times before update of due_at, leased_until
      on ${schema}.webhook_deliveries
      for each row execute function ${schema}.webhook_delivery_times()`,
    triggerFunction(schema, 'webhook_endpoint_times', ['blocked_until', 'rate_free_at']),
    `create trigger webhook_endpoint_times before update of blocked_until, rate_free_at
      on ${schema}.webhook_endpoints
      for each row execute function ${schema}.webhook_endpoint_times()`,
  ]
}

function triggerFunction(schema: string, name: string, columns: readonly string[]): string {
  const mended = columns.map(
    (column) => `
        if new.${column} = old.${column} then
          new.${column} := least(old.${column}, now() + (old.${column} - old.timed_at));
        end if;`,
  )
  return `create function ${schema}.${name}() returns trigger language plpgsql as $$
    begin
      if old.timed_at > clock_timestamp() + interval '5 seconds' then${mended.join('')}
      end if;
      new.timed_at := now();
      return new;
    end $$`
}
