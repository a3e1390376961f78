import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A response as received on the wire. */
export interface WireResponse {
  readonly statusLine: string
  readonly status: number
  /** In the received order and spelling. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
  readonly trailers: readonly (readonly [name: string, value: string])[]
  /** Status lines of preceding 1xx responses. */
  readonly informational: readonly string[]
  readonly isChunked: boolean
}

/** A connection driven by hand, to test what `fetch` hides. */
export interface Connection {
  readonly socket: Socket
  write(text: string | Uint8Array): void
  /** Sends a POST with a JSON body and the given headers. */
  post(path: string, headers?: Record<string, string>, body?: string): void
  /** The next response; rejects if the connection ends before it is complete. */
  response(): Promise<WireResponse>
  /** Every byte received so far. */
  received(): string
  /** Resolves when the server has ended the connection. */
  readonly ended: Promise<unknown>
}

/** Opens a connection that is destroyed when the test ends. */
export async function connectTo(port: number): Promise<Connection> {
  const socket = connect(port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  let all = Buffer.alloc(0)
  let unread = Buffer.alloc(0)
  let isOver = false
  let wake = () => {}
  socket.on('data', (bytes: Buffer) => {
    all = Buffer.concat([all, bytes])
    unread = Buffer.concat([unread, bytes])
    wake()
  })
  socket.on('error', () => {})
  const ended = new Promise((resolve) => socket.once('close', resolve))
  void ended.then(() => {
    isOver = true
    wake()
  })
  socket.once('end', () => {
    isOver = true
    wake()
  })

  return {
    socket,
    ended,
    received: () => all.toString('latin1'),
    write: (text) => void socket.write(text),

    post(path, headers = {}, body = '{"amount":1}') {
      const lines = Object.entries({
        Host: 'localhost',
        'Content-Type': 'application/json',
        'Content-Length': String(Buffer.byteLength(body)),
        ...headers,
      }).map(([name, value]) => `${name}: ${value}\r\n`)
      socket.write(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`)
    },

    async response() {
      for (;;) {
        const parsed = parse(unread, isOver)
        if (parsed !== undefined) {
          unread = unread.subarray(parsed.length)
          return parsed.response
        }
        if (isOver) throw new Error(`the connection ended after ${JSON.stringify(String(unread))}`)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}

/** One request on its own connection. */
export async function post(
  port: number,
  path: string,
  headers?: Record<string, string>,
  body?: string,
): Promise<WireResponse> {
  const connection = await connectTo(port)
  connection.post(path, headers, body)
  try {
    return await connection.response()
  } finally {
    connection.socket.destroy()
  }
}

/** The value of a header, or its values joined. */
export function header({ headers }: WireResponse, name: string): string | undefined {
  const values = headers.filter(([other]) => other.toLowerCase() === name.toLowerCase())
  return values.length === 0 ? undefined : values.map(([, value]) => value).join(', ')
}

type Parsed = { readonly response: WireResponse; readonly length: number }

function parse(bytes: Buffer, isOver: boolean): Parsed | undefined {
  const informational: string[] = []
  let at = 0
  for (;;) {
    const end = bytes.indexOf('\r\n\r\n', at)
    if (end === -1) return undefined
    const [statusLine = '', ...lines] = bytes.toString('latin1', at, end).split('\r\n')
    const status = Number(statusLine.split(' ')[1])
    at = end + 4
    if (status < 200) {
      informational.push(statusLine)
      continue
    }
    const headers = lines.map(nameAndValue)
    const value = (name: string) =>
      headers.find(([other]) => other.toLowerCase() === name)?.[1].toLowerCase()
    const isChunked = value('transfer-encoding') === 'chunked'
    const length = value('content-length')
    const head = { statusLine, status, headers, informational, isChunked, trailers: [] }
    if (status === 204 || status === 304) {
      return { response: { ...head, body: Buffer.alloc(0) }, length: at }
    }
    if (isChunked) return chunked(bytes, at, head)
    if (length === undefined) {
      if (!isOver) return undefined
      return { response: { ...head, body: bytes.subarray(at) }, length: bytes.length }
    }
    const to = at + Number(length)
    if (bytes.length < to) return undefined
    return { response: { ...head, body: bytes.subarray(at, to) }, length: to }
  }
}

function chunked(
  bytes: Buffer,
  from: number,
  head: Omit<WireResponse, 'body'>,
): Parsed | undefined {
  const chunks: Buffer[] = []
  let at = from
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd === -1) return undefined
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16)
    at = lineEnd + 2
    if (size === 0) break
    if (bytes.length < at + size + 2) return undefined
    chunks.push(bytes.subarray(at, at + size))
    at += size + 2
  }
  const trailers: (readonly [string, string])[] = []
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd === -1) return undefined
    const line = bytes.toString('latin1', at, lineEnd)
    at = lineEnd + 2
    if (line === '') break
    trailers.push(nameAndValue(line))
  }
  return { response: { ...head, body: Buffer.concat(chunks), trailers }, length: at }
}

function nameAndValue(line: string): readonly [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, colon), line.slice(colon + 1).trim()]
}
