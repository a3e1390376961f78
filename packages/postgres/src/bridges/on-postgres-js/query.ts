import { readFile } from 'node:fs/promises'

/** A postgres.js query, which is sent when somebody awaits it. */
export interface Query extends PromiseLike<unknown> {
  handler: (query: Query) => unknown
  strings: readonly string[]
  readonly args: readonly unknown[]
  resolve(value: unknown): void
  reject(error: unknown): void
  /**
   * Called with each batch of a cursor's rows; the next batch is requested when its promise
   * resolves.
   */
  cursorFn?: ((rows: unknown) => unknown) | null
  raw(): Promise<RawResult | readonly RawResult[]>
  cancel(): unknown
}

export interface RawResult extends ReadonlyArray<readonly (Uint8Array | null)[]> {
  readonly columns?: readonly { readonly name: string }[]
}

export function isQuery(value: unknown): value is Query {
  const { handler, reject, strings } = Object(value) as Partial<Query>
  return typeof handler === 'function' && typeof reject === 'function' && Array.isArray(strings)
}

/** A fragment that cannot be seen is ` $1 ` in the text, which is then not whole. */
export interface QueryText {
  readonly text: string
  readonly isWhole: boolean
}

/**
 * The text of a query without its values, as postgres.js puts it together when it sends the query:
 * with the queries that are fragments of it. It is not whole if a fragment is hidden in a helper.
 */
export function textOf({ strings, args }: Query): QueryText {
  const fragments = strings.slice(1).map((_, at) => fragmentOf(args[at]))
  return {
    text: strings.map((text, at) => `${text}${fragments[at]?.text ?? ''}`).join(''),
    isWhole: fragments.every(({ isWhole }) => isWhole),
  }
}

function fragmentOf(value: unknown): QueryText {
  if (isQuery(value)) return textOf(value)
  if (!Array.isArray(value) || !isQuery(value[0])) {
    return { text: ' $1 ', isWhole: !holdsQuery(value) }
  }
  const fragments = value.map(fragmentOf)
  return {
    text: fragments.map(({ text }) => text).join(' '),
    isWhole: fragments.every(({ isWhole }) => isWhole),
  }
}

/** Whether a helper, such as `sql({ … })`, has a query among its values. */
function holdsQuery(value: unknown): boolean {
  const { first } = Object(value) as { readonly first?: unknown }
  const rows = [first].flat().map((row) => (isQuery(row) ? [row] : Object.values(Object(row))))
  return rows.flat().some(isQuery)
}

/** A query that is never sent, made by a transaction of postgres.js. */
export function emptyQuery(transaction: object): Query {
  return (transaction as { unsafe(text: string): Query }).unsafe('')
}

/**
 * Reads the file of `sql.file` and passes the query on with its text. postgres.js would read it
 * after every check, and send it however late that is.
 */
export function afterReading(
  path: string,
  send: (query: Query) => unknown,
): (query: Query) => Promise<void> {
  return async (query) => {
    try {
      query.strings = [await readFile(path, 'utf8')]
    } catch (error) {
      return query.reject(error)
    }
    send(query)
  }
}
