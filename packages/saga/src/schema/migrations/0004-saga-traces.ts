/**
 * Stores the trace context of what caused a run, and returns it to the process that drives the run.
 */
export function sagaTraces(schema: string): string[] {
  return [
    `alter table ${schema}.saga_runs add column traceparent text`,

    // `saga_snapshot` with 'traceparent' added.
    `create or replace function ${schema}.saga_snapshot(in_run text) returns json
    language sql stable set enable_seqscan = off as $$
      select json_build_object('id', r.id, 'saga', r.saga, 'version', r.version,
          'definition', r.definition, 'state', r.state, 'input', r.input,
          'traceparent', r.traceparent, 'epoch', w.epoch, 'lost', w.lost,
          'steps', (
            select coalesce(json_agg(json_build_object('position', s.position, 'name', s.name,
                'state', s.state, 'attempts', s.attempts,
                'compensation_attempts', s.compensation_attempts, 'result', s.result)
                order by s.position), '[]')
              from ${schema}.saga_steps s where s.run_id = r.id))
        from ${schema}.saga_runs r join ${schema}.saga_work w on w.run_id = r.id
        where r.id = in_run
    $$`,
  ]
}
