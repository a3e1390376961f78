/** `saga_snapshot_2`: a run in JSON, with what the process that drives it needs. */
export function runSnapshot(schema: string): string {
  return `create function ${schema}.saga_snapshot_2(in_run text) returns json
    language sql stable set enable_seqscan = off as $$
      select json_build_object('id', r.id, 'saga', r.saga, 'version', r.version,
          'definition', r.definition, 'state', r.state, 'input', r.input,
          'traceparent', r.traceparent, 'epoch', w.epoch, 'move', w.move, 'lost', w.lost,
          'steps', (
            select coalesce(json_agg(json_build_object('position', s.position, 'name', s.name,
                'state', s.state, 'attempts', s.attempts,
                'compensation_attempts', s.compensation_attempts, 'result', s.result)
                order by s.position), '[]')
              from ${schema}.saga_steps s where s.run_id = r.id))
        from ${schema}.saga_runs r join ${schema}.saga_work w on w.run_id = r.id
        where r.id = in_run
    $$`
}
