import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type OrdersServer, startOrdersServer } from './orders-server.ts'
import { exchange, orderRequest, parse } from './wire.ts'

// The program of `pnpm quickstart`. It shows that an order is placed once, however often it is
// sent.

const dataFolder = await mkdtemp(join(tmpdir(), 'oncekey-quickstart-'))
const interactive = process.stdout.isTTY === true && process.env.CI === undefined
let failures = 0

console.log(`An orders API (Express, Postgres as PGlite on disk) and a client that sends orders again.
Starting it; the first start of an embedded Postgres takes some seconds.`)
let server = await startOrdersServer({ dataFolder, slowWarehouse: true })

const firstKey = randomUUID()
const violin = { item: 'violin', card: '4242' }
await tell('1. A first order', async () => {
  const { status } = parse(await send(firstKey, violin, 'show'))
  return expect(status === 201, 'It is placed.')
})

await tell('2. The response got lost, so the client sends the same bytes again', async () => {
  const { status, replayed } = parse(await send(firstKey, violin, 'show'))
  return expect(
    status === 201 && replayed,
    'The same answer, from the record. The handler did not run.',
  )
})

await tell('3. The same order fifty times at once', async () => {
  const key = randomUUID()
  const answers = await Promise.all(
    Array.from({ length: 50 }, async () => parse(await send(key, { item: 'cello', card: '4242' }))),
  )
  const count = (wanted: (answer: ReturnType<typeof parse>) => boolean) =>
    answers.filter(wanted).length
  const created = count(({ status, replayed }) => status === 201 && !replayed)
  const others = count(({ status, replayed }) => (status === 201 && replayed) || status === 409)
  return expect(
    created === 1 && others === 49,
    `${created} × 201 Created; ${count((a) => a.status === 409)} × 409 still running, ${count((a) => a.replayed)} × replayed.`,
  )
})

await tell('4. The first key with another body', async () => {
  const { status } = parse(await send(firstKey, { item: 'drum', card: '4242' }, 'show'))
  return expect(
    status === 422,
    'Refused: a key stands for one request. The stored answer is untouched.',
  )
})

await tell('5. An order that is refused, and sent again', async () => {
  const key = randomUUID()
  const refused = parse(await send(key, { item: 'harp', card: 'declined' }))
  const again = parse(await send(key, { item: 'harp', card: 'declined' }))
  console.log(`   ${refused.status} ${refused.body}, then ${again.status} ${again.body} (replayed)`)
  return expect(
    refused.status === 402 && again.status === 402 && again.replayed,
    'The refusal is kept; the row that the handler had inserted before it is not.',
  )
})

await tell('6. The server is killed (SIGKILL) after the insert and before the commit', async () => {
  const key = randomUUID()
  const piano = { item: 'piano', card: '4242' }
  const lost = send(key, piano)
  const { inserted } = await server.said('inserted')
  console.log(`   the handler has inserted ${JSON.stringify(inserted)}; kill -9 ${server.pid}`)
  await server.kill()
  const nothing = (await lost) === ''
  server = await startOrdersServer({ dataFolder })
  const retried = parse(await send(key, piano))
  console.log(`   restarted; the retry: ${retried.status} ${retried.body}`)
  return expect(
    nothing && retried.status === 201 && !retried.replayed,
    'The crash left nothing behind, not even a lock: the retry placed the order.',
  )
})

const books = (await (await fetch(`http://127.0.0.1:${server.port}/books`)).json()) as Record<
  string,
  number
>
console.log(
  `\nThe books: ${books.orders} orders, ${books.keys} keys with a success, ${books.events} events.`,
)
expect(
  books.orders === 3 && books.keys === 3 && books.events === 3,
  'They are equal: violin, cello, piano.',
)

if (interactive && failures === 0) await goOnServing(server)
await server.stop()
await rm(dataFolder, { recursive: true })
process.exit(failures === 0 ? 0 : 1)

async function tell(title: string, chapter: () => Promise<void>): Promise<void> {
  console.log(`\n${title}`)
  await chapter()
}

function expect(truth: boolean, sentence: string): void {
  if (!truth) failures++
  console.log(truth ? `   ✔ ${sentence}` : `   ✘ NOT SO: ${sentence}`)
}

async function send(key: string, order: object, show?: 'show'): Promise<string> {
  const request = orderRequest({ port: server.port, key, order })
  const response = await exchange(server.port, request)
  if (show) {
    printBytes('>', request)
    printBytes('<', response)
  }
  return response
}

function printBytes(direction: '>' | '<', bytes: string): void {
  for (const line of bytes.split('\r\n')) console.log(`   ${direction} ${line}`)
}

async function goOnServing({ port }: OrdersServer): Promise<void> {
  console.log(`
It goes on serving until Ctrl-C. Try it, twice:

  curl -i http://127.0.0.1:${port}/orders -H 'Authorization: Bearer ana' \\
    -H 'Content-Type: application/json' -H 'Idempotency-Key: my-first-key' \\
    -d '{"item":"flute","card":"4242"}'

  curl http://127.0.0.1:${port}/books

The API is examples/quickstart/src/server.ts.`)
  await new Promise((resolve) => process.once('SIGINT', resolve))
}
