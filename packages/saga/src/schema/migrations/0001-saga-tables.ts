/** The tables of sagas: runs, their steps, failed attempts, and the work that is left. */
export function sagaTables(schema: string): string[] {
  return [
    // A row per run. 'input' and every other 'json' column here keep the exact text, because jsonb
    // refuses \\u0000.
    `create table ${schema}.saga_runs (
      id text collate "C" not null,
      saga text not null,
      version integer not null,
      definition text not null,
      plan json not null,
      input json,
      fingerprint text not null,
      state text not null default 'running' check (state in ('running', 'compensating', 'completed',
        'compensated', 'stuck', 'compensation-failed', 'settled')),
      failed_step text,
      error json,
      stuck json,
      stuck_at timestamptz,
      resumes integer not null default 0,
      resumed_at timestamptz,
      note text,
      started_at timestamptz not null default clock_timestamp(),
      ended_at timestamptz,
      constraint saga_runs_pkey primary key (id)
    )`,
    `create index saga_runs_open on ${schema}.saga_runs (started_at) where ended_at is null`,
    `create index saga_runs_ended on ${schema}.saga_runs (ended_at) where ended_at is not null`,

    `create index saga_runs_dead on ${schema}.saga_runs (stuck_at, id)
      where state in ('stuck', 'compensation-failed')`,

    // A row per step that was begun. 'begun': its effects outside the database are unknown.
    // 'undone': it failed, and everything it did was in a transaction that was rolled back.
    `create table ${schema}.saga_steps (
      run_id text collate "C" not null,
      position smallint not null,
      name text not null,
      state text not null check (state in ('begun', 'undone', 'done', 'failed', 'compensated')),
      attempts integer not null default 0,
      compensation_attempts integer not null default 0,
      result json,
      begun_at timestamptz not null default clock_timestamp(),
      done_at timestamptz,
      compensated_at timestamptz,
      constraint saga_steps_pkey primary key (run_id, position)
    )`,

    // A row per failed attempt. A successful attempt is recorded in the step's own row.
    `create table ${schema}.saga_failures (
      run_id text collate "C" not null,
      seq bigint generated always as identity,
      step text not null,
      direction text not null check (direction in ('run', 'compensate')),
      attempt integer not null,
      error json not null,
      duration_ms integer not null,
      failed_at timestamptz not null default clock_timestamp(),
      constraint saga_failures_pkey primary key (run_id, seq)
    )`,

    // The work that is left: a narrow row per run that has not ended. It says which process has the
    // run until when, or from when on any process may take it. Renewals and waits write to no other
    // table. 'epoch' counts the owners; 'lost' counts the owners that have vanished since the run's
    // last move.
    `create table ${schema}.saga_work (
      run_id text collate "C" not null,
      definition text not null,
      due_at timestamptz not null,
      owner text,
      epoch bigint not null,
      lost integer not null default 0,
      constraint saga_work_pkey primary key (run_id)
    ) with (fillfactor = 70)`,
    `create index saga_work_due on ${schema}.saga_work (due_at)`,
  ]
}
