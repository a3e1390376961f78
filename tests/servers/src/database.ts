import { randomBytes } from 'node:crypto'
import { Client } from 'pg'

export interface Database {
  url: string
  name: string
  /** Disconnects remaining clients. End pools first, because they report that as an error. */
  drop(): Promise<void>
}

export interface DatabaseOptions {
  /**
   * The name of the database to copy, such as a migrated one. Nobody may be connected to it.
   * @default 'template0', an empty one
   */
  template?: string
}

/**
 * Creates a database on the server of `url`: one for each test file, so that files do not affect
 * each other.
 */
export async function freshDatabase(
  url: string,
  { template = 'template0' }: DatabaseOptions = {},
): Promise<Database> {
  const name = `test_${randomBytes(6).toString('hex')}`
  await onServer(url, (client) =>
    client.query(`CREATE DATABASE ${name} TEMPLATE ${client.escapeIdentifier(template)}`),
  )
  return {
    name,
    url: urlOf(url, name),
    drop: () =>
      onServer(url, async (client) => {
        await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
      }),
  }
}

/**
 * Publishes every table of a database, also those that are created later. From then on the server
 * refuses (55000) to update or delete rows of a table that has neither a primary key nor a replica
 * identity. Users who feed a warehouse or a blue-green upgrade by such a publication depend on
 * this.
 */
export async function publishAllTables(url: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query('CREATE PUBLICATION everything FOR ALL TABLES')
  } finally {
    await client.end()
  }
}

/** Runs `work` on a connection to the database `postgres` on the server of `url`. */
export async function onServer<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: urlOf(url, 'postgres') })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

function urlOf(url: string, database: string): string {
  return Object.assign(new URL(url), { pathname: `/${database}` }).href
}
