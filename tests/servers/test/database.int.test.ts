import pg from 'pg'
import { expect, inject, test } from 'vitest'
import {
  countStatements,
  findSystemPostgres,
  freshDatabase,
  resetStatements,
  systemPostgresUrl,
} from '../src/index.ts'

const url = inject('postgresUrl')

test('a fresh database is empty, and gone once it is dropped, even with open connections', async () => {
  const database = await freshDatabase(url)
  const client = await connected(database.url)
  expect(await client.query(`SELECT FROM pg_tables WHERE schemaname = 'public'`)).toMatchObject({
    rowCount: 0,
  })
  expect(await client.query('SELECT current_database() AS name')).toMatchObject({
    rows: [{ name: database.name }],
  })
  const disconnected = new Promise((resolve) => client.once('end', resolve))
  client.on('error', () => {})
  await database.drop()
  await disconnected
  await expect(connected(database.url)).rejects.toMatchObject({ code: '3D000' })
  await database.drop()
})

test('databases can be created as copies, many at once', async () => {
  const original = await freshDatabase(url)
  const client = await connected(original.url)
  await client.query('CREATE TABLE things AS SELECT generate_series(1, 3) AS id')
  await client.end()
  const copies = await Promise.all(
    Array.from({ length: 8 }, () => freshDatabase(url, { template: original.name })),
  )
  for (const copy of copies) {
    const reader = await connected(copy.url)
    expect(await reader.query('SELECT FROM things')).toMatchObject({ rowCount: 3 })
    await reader.end()
  }
  await Promise.all([original, ...copies].map((database) => database.drop()))
})

test('statements are counted for each database separately', async () => {
  const [counted, other] = await Promise.all([freshDatabase(url), freshDatabase(url)])
  const [client, noise] = await Promise.all([connected(counted.url), connected(other.url)])
  await client.query('SELECT 1')
  await resetStatements(counted.url)
  for (const id of [1, 2, 3]) {
    await client.query('BEGIN')
    await client.query('SELECT $1::int AS id', [id])
    await noise.query('SELECT $1::int AS id', [id])
    await client.query('COMMIT')
  }
  expect(await countStatements(counted.url)).toEqual([
    { query: 'BEGIN', calls: 3 },
    { query: 'COMMIT', calls: 3 },
    { query: 'SELECT $1::int AS id', calls: 3 },
  ])
  await Promise.all([client.end(), noise.end()])
  await Promise.all([counted.drop(), other.drop()])
})

test.skipIf(!findSystemPostgres())('PostgreSQL of this system is started once', async () => {
  const [one, two] = await Promise.all([systemPostgresUrl(), systemPostgresUrl()])
  expect(one).toBeDefined()
  expect(one).toBe(two)
  const client = await connected(one!)
  expect(await client.query('SELECT 1 AS one')).toMatchObject({ rows: [{ one: 1 }] })
  await client.end()
})

async function connected(to: string): Promise<pg.Client> {
  const client = new pg.Client(to)
  await client.connect()
  return client
}
