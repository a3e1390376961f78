/** Consumers can be paused, and relays report what they do for them. */
export function consumersPaused(schema: string): string[] {
  return [
    `alter table ${schema}.consumers
      add column paused_at timestamptz,
      add column paused_by text,
      add column paused_note text`,
    `alter table ${schema}.relays
      add column per_second double precision not null default 0,
      add column last_error json`,
  ]
}
