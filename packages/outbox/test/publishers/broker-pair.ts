import { createServer, type Server, type Socket } from 'node:net'

/** A message that a broker has stored, by its text in the request. */
export interface Stored {
  readonly node: number
  readonly partition: number
  readonly json: string
}

/**
 * Two brokers that speak as much of the protocol of Kafka as a producer needs, with one topic of
 * two partitions. They store what their leader is sent, and refuse it as `NOT_LEADER_OR_FOLLOWER`
 * otherwise. A batch of an idempotent producer whose number they have stored is answered with
 * success and dropped (KIP-98). The mock cluster of librdkafka can move no leader from outside its
 * process, and compares no numbers.
 */
export interface BrokerPair {
  /** `127.0.0.1:<port>` of the first broker, which names the other. */
  readonly broker: string
  readonly stored: readonly Stored[]
  /** How many requests were answered with `NOT_LEADER_OR_FOLLOWER`. */
  readonly refusals: () => number
  /** The leader of each partition, from now on. The next refusal tells the client to ask for it. */
  lead(...leaders: [number, number]): void
  /** The next request is stored, and its answer is lost. */
  loseNextAnswer(): void
  stop(): Promise<void>
}

export async function startBrokerPair(topic: string): Promise<BrokerPair> {
  const stored: Stored[] = []
  const ports: number[] = []
  const sockets = new Set<Socket>()
  let leaders = [0, 1]
  let refusals = 0
  let answersToLose = 0
  const numbers = new Set<string>()

  /** Undefined if the answer is lost. */
  function answerTo(node: number, request: Reader): Buffer[] | undefined {
    const [api, version] = [request.int16(), request.int16()]
    const correlation = request.int32()
    request.text()
    const answer = answers[api]
    if (answer === undefined) throw new Error(`The brokers do not know request ${api}.`)
    const answered = [int32(correlation), ...answer(request, version, node)]
    if (api !== PRODUCE || answersToLose === 0) return answered
    answersToLose -= 1
    return undefined
  }

  const answers: Record<number, (request: Reader, version: number, node: number) => Buffer[]> = {
    [API_VERSIONS]: (_, version) => [
      int16(0),
      ...list(Object.entries(VERSIONS), ([api, most]) => [
        int16(Number(api)),
        int16(most),
        int16(most),
      ]),
      ...(version > 0 ? [int32(0)] : []),
    ],
    [METADATA]: () => [
      ...list(ports, (port, node) => [int32(node), text('127.0.0.1'), int32(port), text('')]),
      int32(0), // the controller
      ...list([topic], () => [
        int16(0),
        text(topic),
        Buffer.alloc(1), // not internal
        ...list(leaders, (leader, partition) => [
          int16(0),
          int32(partition),
          int32(leader),
          ...list([0, 1], (replica) => [int32(replica)]),
          ...list([0, 1], (replica) => [int32(replica)]),
        ]),
      ]),
    ],
    [INIT_PRODUCER_ID]: () => [
      int32(0),
      int16(0),
      Buffer.from('0000000000000007', 'hex'),
      int16(0),
    ],
    [PRODUCE]: (request, _, node) => {
      request.text()
      request.int16()
      request.int32()
      const outcomes = request.list(() => ({
        name: request.text(),
        partitions: request.list(() => produced(node, request.int32(), request.bytes())),
      }))
      return [
        ...list(outcomes, ({ name, partitions }) => [
          text(name),
          ...list(partitions, ({ partition, error }) => [
            int32(partition),
            int16(error),
            Buffer.alloc(16),
          ]),
        ]),
        int32(0),
      ]
    },
  }

  function produced(node: number, partition: number, batch: Buffer) {
    if (leaders[partition] !== node) {
      refusals += 1
      return { partition, error: NOT_LEADER }
    }
    const [producer, number] = [batch.readBigInt64BE(43), batch.readInt32BE(53)]
    if (producer >= 0) {
      const name = `${producer} ${partition} ${number}`
      if (numbers.has(name)) return { partition, error: 0 }
      numbers.add(name)
    }
    for (const [json] of batch.toString('latin1').matchAll(/\{"key":"[^"]*","n":\d+\}/g)) {
      stored.push({ node, partition, json })
    }
    return { partition, error: 0 }
  }

  const servers: Server[] = []
  for (const node of [0, 1]) {
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      let rest = Buffer.alloc(0)
      socket.on('data', (bytes) => {
        rest = Buffer.concat([rest, bytes])
        while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
          const end = 4 + rest.readInt32BE(0)
          const parts = answerTo(node, reader(rest.subarray(4, end)))
          rest = rest.subarray(end)
          if (parts === undefined) continue
          const answer = Buffer.concat(parts)
          socket.write(Buffer.concat([int32(answer.length), answer]))
        }
      })
    })
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    ports.push((server.address() as { port: number }).port)
    servers.push(server)
  }
  return {
    broker: `127.0.0.1:${ports[0]}`,
    stored,
    refusals: () => refusals,
    lead: (...to) => {
      leaders = to
    },
    loseNextAnswer: () => {
      answersToLose += 1
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      await Promise.all(servers.map((server) => new Promise((done) => server.close(done))))
    },
  }
}

interface Reader {
  int16(): number
  int32(): number
  bytes(length?: number): Buffer
  text(): string
  list<Item>(item: () => Item): Item[]
}

function reader(from: Buffer): Reader {
  let at = 0
  const take = (bytes: number): number => {
    at += bytes
    return at - bytes
  }
  const read: Reader = {
    int16: () => from.readInt16BE(take(2)),
    int32: () => from.readInt32BE(take(4)),
    bytes(length = read.int32()) {
      const begin = take(length)
      return from.subarray(begin, at)
    },
    /** A length of -1 stands for no text. */
    text: (): string => read.bytes(Math.max(0, read.int16())).toString(),
    list: <Item>(item: () => Item): Item[] => Array.from({ length: read.int32() }, item),
  }
  return read
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function text(value: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)])
}

function list<Item>(
  items: readonly Item[],
  write: (item: Item, at: number) => readonly Buffer[],
): Buffer[] {
  return [int32(items.length), ...items.flatMap((item, at) => write(item, at))]
}

const PRODUCE = 0
const METADATA = 3
const API_VERSIONS = 18
const INIT_PRODUCER_ID = 22
/** The one version of each request that the brokers take. */
const VERSIONS: Readonly<Record<number, number>> = {
  [PRODUCE]: 3,
  [METADATA]: 1,
  [API_VERSIONS]: 2,
  [INIT_PRODUCER_ID]: 0,
}
const NOT_LEADER = 6
