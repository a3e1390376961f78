import type { Statement } from '../../sql/sql-client.ts'

export interface OperationRow {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly at: string
  readonly actor: string
  readonly act: string
  readonly target: string
  readonly note: string
  readonly detail: string
}

/**
 * Lists entries, the newest first, from below the number `before`; with a target, only its entries.
 */
export function listOperations(
  schema: string,
): (asked: {
  readonly target: string | null
  readonly before: string | null
  readonly limit: number
}) => Statement<OperationRow> {
  return (asked) => {
    // Two statements, because one plan cannot serve both.
    const ofTarget =
      asked.target === null
        ? '$1::text is null'
        : 'hashtextextended(o.target, 0) = hashtextextended($1::text, 0) and o.target = $1::text'
    return {
      name: asked.target === null ? 'list_operations' : 'list_operations_of_target',
      text: `
      select o.id::text as id, (extract(epoch from o.at) * 1000)::bigint::text as at, o.actor, o.act,
          o.target, o.note, o.detail::text as detail
        from ${schema}.operations o
        where ${ofTarget} and ($2::bigint is null or o.id < $2::bigint)
        order by o.id desc limit $3::integer`,
      values: [asked.target, asked.before, asked.limit],
      cancellable: true,
    }
  }
}
