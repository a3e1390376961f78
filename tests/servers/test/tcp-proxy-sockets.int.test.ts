import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { startProxy, type TcpProxy, waitFor } from '../src/index.ts'

describe('between bare sockets', () => {
  test('everything that a client sends before it reads an answer is one round trip', async () => {
    const { proxy, stop } = await startEcho()
    proxy.stallDownstream()
    const socket = connect(proxy.port, '127.0.0.1')
    let received = ''
    socket.setEncoding('utf8').on('data', (text) => {
      received += text
    })
    for (const text of ['a', 'b', 'c']) {
      const { bytesUp } = proxy.counts()
      socket.write(text)
      await waitFor(() => proxy.counts().bytesUp > bytesUp, { what: 'the byte to be passed on' })
    }
    proxy.resume()
    await waitFor(() => received === 'abc', { what: 'the answers' })
    expect(proxy.counts().roundTrips).toBe(1)
    socket.write('d')
    await waitFor(() => received === 'abcd', { what: 'the answer' })
    expect(proxy.counts()).toEqual({ connections: 1, roundTrips: 2, bytesUp: 4, bytesDown: 4 })
    socket.destroy()
    await stop()
  })

  test('large streams arrive complete, even with latency and stalls', async () => {
    const { proxy, stop } = await startEcho()
    proxy.latency(1)
    const socket = connect(proxy.port, '127.0.0.1')
    const sent = Buffer.alloc(8 * 1024 * 1024, Buffer.from('0123456789abcdefg'))
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.end(sent)
    const ended = once(socket, 'end')
    for (let i = 0; i < 5; i++) {
      proxy.stall()
      await new Promise((resolve) => setTimeout(resolve, 5))
      proxy.resume()
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await ended
    expect(Buffer.concat(chunks).equals(sent)).toBe(true)
    await stop()
  })

  test('a server that is down looks like a reset', async () => {
    const { proxy, stop, stopServer } = await startEcho()
    await stopServer()
    const socket = connect(proxy.port, '127.0.0.1')
    const [error] = await once(socket, 'error')
    expect(error).toMatchObject({ code: 'ECONNRESET' })
    await stop()
  })

  async function startEcho(): Promise<{
    proxy: TcpProxy
    stop: () => Promise<void>
    stopServer: () => Promise<void>
  }> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {})
      socket.pipe(socket)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const proxy = await startProxy({ host: '127.0.0.1', port })
    const stopServer = async (): Promise<void> => {
      if (!server.listening) return
      server.close()
      await once(server, 'close')
    }
    const stop = async (): Promise<void> => {
      await proxy.stop()
      await stopServer()
    }
    return { proxy, stop, stopServer }
  }
})
