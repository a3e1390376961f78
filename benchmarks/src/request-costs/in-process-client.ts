import type { Server } from 'node:http'
import { Duplex } from 'node:stream'

/** Sends requests to a `node:http` server through a stream in this process, one at a time. */
export interface InProcessClient {
  /** Returns the status of the response, once all of it has come. */
  post(key: string): Promise<number>
  /** How often the server has written to the connection. */
  writes(): number
}

/**
 * Connects to a server without a socket, so that what is counted is the server's own work and not
 * that of the system.
 */
export function inProcessClient(server: Server, path: string, body: string): InProcessClient {
  let received = ''
  let writes = 0
  let answered: (status: number) => void = () => {}

  const takeIn = (chunks: readonly Uint8Array[]): void => {
    writes += 1
    for (const chunk of chunks) received += Buffer.from(chunk).toString('latin1')
    const status = wholeResponse(received)
    if (status === undefined) return
    received = ''
    answered(status)
  }
  const connection = new Duplex({
    read() {},
    write(chunk, _encoding, done) {
      takeIn([chunk])
      done()
    },
    writev(chunks, done) {
      takeIn(chunks.map(({ chunk }) => chunk))
      done()
    },
  })
  server.emit('connection', connection)

  return {
    post(key) {
      const head = `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nidempotency-key: ${key}\r\ncontent-length: ${body.length}\r\n\r\n`
      return new Promise((resolve) => {
        answered = resolve
        connection.push(Buffer.from(head + body, 'latin1'))
      })
    },
    writes: () => writes,
  }
}

/** The status of a response that has come whole. Every response here states its length. */
function wholeResponse(text: string): number | undefined {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) return undefined
  const length = /content-length: (\d+)/i.exec(text.slice(0, headEnd))?.[1]
  if (length === undefined) throw new Error(`a response without a length: ${text}`)
  return text.length < headEnd + 4 + Number(length) ? undefined : Number(text.slice(9, 12))
}
