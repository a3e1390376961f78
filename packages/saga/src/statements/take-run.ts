import type { Statement } from '@oncekey/postgres/client'

/** Takes one run: when it is due, or from oneself, with the epoch by which one has it. */
export function takeRunStatement(
  schema: string,
): (take: TakeRun) => Statement<{ run: string | null }> {
  const text = `
    select ${schema}.saga_take_2($1::text, $2::bigint, $3::text, $4::integer)::text as run`

  return ({ id, epoch, owner, leaseMs }) => ({
    name: 'saga_take_run',
    text,
    values: [id, epoch, owner, leaseMs],
  })
}

export interface TakeRun {
  readonly id: string
  readonly epoch: number | null
  readonly owner: string
  readonly leaseMs: number
}
