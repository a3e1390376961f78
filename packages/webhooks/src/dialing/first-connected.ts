import type { Socket } from 'node:net'
import { callLater } from '@oncekey/core'

export interface Dialling {
  /** Connects to one host. `signal` aborts when that connection is no longer needed. */
  connect(host: string, signal: AbortSignal): Promise<Socket>
  /** How long one host is waited for before the next is dialled beside it. Milliseconds. */
  readonly delayMs: number
  /** The limit for all hosts together. Milliseconds. */
  readonly limitMs: number
  /** The error if none is connected by then. */
  late(): Error
  /** Whether a failure would meet every host, so that the others need not be dialled. */
  isCommon?(error: unknown): boolean
}

/**
 * Connects to several hosts and resolves with the connection that is there first (RFC 8305 section
 * 5). The next host is dialled when one has failed or `delayMs` have passed. That gives up no host
 * that was dialled before: Node's own way (`autoSelectFamily`) leaves every address but the last
 * 250 ms, and never reaches a host whose handshake takes longer. If all fail, rejects with the
 * error of the first host.
 */
export function firstConnected(
  hosts: readonly string[],
  { connect, delayMs, limitMs, late, isCommon = () => false }: Dialling,
): Promise<Socket> {
  const aborter = new AbortController()
  const errors = new Map<number, unknown>()
  let dialled = 0
  let isOver = false
  let next: ReturnType<typeof callLater> | undefined

  return new Promise((resolve, reject) => {
    const limit = callLater(() => end(() => reject(late())), limitMs)
    dial()

    function dial(): void {
      const at = dialled
      dialled += 1
      next?.cancel()
      next = dialled < hosts.length ? callLater(dial, delayMs) : undefined
      connect(hosts[at] as string, aborter.signal).then(
        (socket) => {
          if (isOver) socket.on('error', () => {}).destroy()
          else end(() => resolve(socket))
        },
        (error) => {
          if (!isOver) failed(at, error)
        },
      )
    }

    function failed(at: number, error: unknown): void {
      errors.set(at, error)
      if (isCommon(error)) end(() => reject(error))
      else if (dialled < hosts.length) dial()
      else if (errors.size === hosts.length) end(() => reject(errors.get(0)))
    }

    function end(settle: () => void): void {
      isOver = true
      next?.cancel()
      limit.cancel()
      settle()
      aborter.abort()
    }
  })
}
