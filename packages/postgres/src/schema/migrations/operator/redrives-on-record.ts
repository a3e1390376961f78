/**
 * Redrives on record, which every process that works their source carries in portions, and what
 * each portion took.
 */
export function redrivesOnRecord(schema: string): string[] {
  return [
    // 'cursor_at' and 'cursor_id' are those of the last letter that was looked at. 'filter' keeps
    // its exact text.
    `create table ${schema}.redrives (
      id bigint generated always as identity,
      source text not null,
      kind text not null default 'dead-letters' check (kind in ('dead-letters', 'window')),
      filter json not null,
      rate double precision not null,
      most bigint,
      state text not null default 'running' check (state in ('running', 'done', 'cancelled')),
      matched bigint not null,
      redriven bigint not null default 0,
      refused bigint not null default 0,
      actor text not null,
      note text not null,
      started_at timestamptz not null default clock_timestamp(),
      ended_at timestamptz,
      next_at timestamptz not null default clock_timestamp(),
      cursor_at timestamptz not null default '-infinity',
      cursor_id text not null default '',
      constraint redrives_pkey primary key (id)
    ) with (fillfactor = 70)`,
    `create index redrives_running on ${schema}.redrives (source, next_at) where state = 'running'`,
    `create index redrives_ended on ${schema}.redrives (ended_at) where ended_at is not null`,

    `create table ${schema}.redrive_portions (
      redrive bigint not null references ${schema}.redrives on delete cascade,
      number bigint generated always as identity,
      at timestamptz not null default clock_timestamp(),
      redriven json not null,
      refused json not null,
      constraint redrive_portions_pkey primary key (redrive, number)
    )`,
  ]
}
