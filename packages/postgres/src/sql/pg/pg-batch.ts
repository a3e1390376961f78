import type { SqlValue, Statement } from '../sql-client.ts'
import type { PgClient, PgQuery, PgResult } from './pg-client.ts'

/**
 * Sends statements with bound values in one write to the socket, with one Sync at the end. `pg`
 * itself sends one statement per query and waits for its answer. This function passes `pg` a query
 * that has its own `submit`, as cursors do. That works on every pool except one that pipelines.
 *
 * After an error the server skips everything up to the Sync, so a statement never runs if the one
 * before it failed.
 */
export function sentTogether(
  client: PgClient,
  statements: readonly BatchStatement[],
): Promise<PgResult[]> {
  return new Promise((resolve, reject) => {
    // With a `query_timeout`, `pg` replaces this callback by one of its own that calls it.
    const callback = (error: Error | null, results: PgResult[]): void =>
      error ? reject(error) : resolve(results)
    client.query(batch(statements, callback) as unknown as PgQuery)
  })
}

/** Whether a client's connection can write a batch. The connection of `pg-native` cannot. */
export function takesBatches(client: PgClient): boolean {
  return client.pipeline !== true && writesBytes(client)
}

/** Whether a client writes the protocol itself. That of `pg-native` has the C library do it. */
export function writesBytes({ connection }: PgClient): boolean {
  return typeof (connection as Partial<Connection>)?.parse === 'function'
}

/** Collects what `send` writes into one write to the socket. */
export function inOneWrite<T>(stream: Corkable | undefined, send: () => T): T {
  stream?.cork?.()
  try {
    return send()
  } finally {
    stream?.uncork?.()
  }
}

interface Corkable {
  cork?(): void
  uncork?(): void
}

/** A statement with a name is parsed once per connection. */
export interface BatchStatement extends Pick<Statement, 'text' | 'values' | 'types' | 'hasNoRows'> {
  readonly name?: string | undefined
}

type Callback = (error: Error | null, results: PgResult[]) => void

/**
 * The object that `pg` calls as replies arrive. Its `text` is for tools that instrument queries.
 * All of it is own properties: some of these tools pass `pg` a copy made by spread, which leaves
 * out what is on a prototype. The functions are shared, because functions of its own would be a
 * fifth of what a batch allocates.
 */
function batch(statements: readonly BatchStatement[], callback: Callback): Batch {
  return {
    statements,
    text: statements.map(({ text }) => text).join(';\n'),
    callback,
    results: [],
    columns: NO_COLUMNS,
    rows: undefined,
    submit,
    handleRowDescription,
    handleDataRow,
    handleCommandComplete,
    handleReadyForQuery,
    handleError,
  }
}

interface Batch {
  readonly statements: readonly BatchStatement[]
  readonly text: string
  readonly callback: Callback
  readonly results: Result[]
  /** The columns of the statement that is being answered. */
  columns: readonly { readonly name: string }[]
  rows: Row[] | undefined
  readonly submit: typeof submit
  readonly handleRowDescription: typeof handleRowDescription
  readonly handleDataRow: typeof handleDataRow
  readonly handleCommandComplete: typeof handleCommandComplete
  readonly handleReadyForQuery: typeof handleReadyForQuery
  readonly handleError: typeof handleError
}

const NO_COLUMNS: readonly never[] = []

function submit(this: Batch, connection: Connection): void {
  inOneWrite(connection.stream, () => {
    for (const statement of this.statements) write(connection, statement)
    connection.sync()
  })
}

function handleRowDescription(this: Batch, { fields }: { fields: Batch['columns'] }): void {
  this.columns = fields
}

function handleDataRow(this: Batch, { fields }: { fields: readonly (string | null)[] }): void {
  const row: Row = {}
  for (let at = 0; at < this.columns.length; at++) {
    row[this.columns[at]?.name as string] = fields[at] ?? null
  }
  if (this.rows === undefined) this.rows = [row]
  else this.rows.push(row)
}

function handleCommandComplete(
  this: Batch,
  { text }: { text: string },
  connection: Connection,
): void {
  const { name, text: parsed } = this.statements[this.results.length] as BatchStatement
  if (name !== undefined) connection.parsedStatements[name] = parsed
  this.results.push({ command: text.split(' ', 1)[0] as string, rows: this.rows ?? [] })
  this.rows = undefined
  this.columns = NO_COLUMNS
}

function handleReadyForQuery(this: Batch): void {
  this.callback(null, this.results)
}

function handleError(this: Batch, error: Error): void {
  this.callback(error, this.results)
}

function write(connection: Connection, statement: BatchStatement): void {
  const { name = '', text, values, types, hasNoRows } = statement
  if (name === '' || connection.parsedStatements[name] === undefined) {
    // A statement that was parsed and then failed exists on the server. Closing one that does not
    // exist is no error.
    if (name !== '') connection.close({ type: 'S', name })
    connection.parse({ name, text, types: types ?? [] })
  }
  connection.bind({ statement: name, values, valueMapper })
  if (hasNoRows !== true) connection.describe({ type: 'P', name: '' })
  connection.execute({})
}

function valueMapper(value: SqlValue): string | Buffer | null {
  if (value === null || typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

type Row = Record<string, string | null>

interface Result extends PgResult {
  readonly rows: Row[]
}

/** The part of `pg`'s connection that writes the protocol's messages. */
interface Connection {
  readonly stream: Corkable
  readonly parsedStatements: Record<string, string>
  parse(message: { name: string; text: string; types: readonly number[] }): void
  bind(message: {
    statement: string
    values: readonly SqlValue[]
    valueMapper(value: SqlValue): string | Buffer | null
  }): void
  describe(message: { type: 'P'; name: string }): void
  execute(message: object): void
  close(message: { type: 'S'; name: string }): void
  sync(): void
}
