import type { Socket } from 'node:net'

/**
 * One direction of a connection: bytes that arrive at one socket leave through the other, in order.
 */
export interface Lane {
  /** Has to be called when the result of `stalled` has changed. */
  update(): void
  /** From this call on drops everything that arrives, including ends. */
  abandon(): void
}

export interface LaneRules {
  delayMs(): number
  stalled(): boolean
  /** Called when bytes have arrived. */
  arrived?(): void
  /** Called before bytes leave; if it returns false, they are dropped. */
  pass(chunk: Buffer): boolean
}

interface Waiting {
  item: Buffer | 'end' | 'reset'
  dueAt: number
}

export function createLane(from: Socket, to: Socket, rules: LaneRules): Lane {
  const waiting: Waiting[] = []
  let timer: NodeJS.Timeout | undefined
  let congested = false
  let abandoned = false
  let ended = false

  function arrive(item: Waiting['item']): void {
    waiting.push({ item, dueAt: performance.now() + rules.delayMs() })
    update()
  }

  function update(): void {
    if (abandoned) {
      waiting.length = 0
      from.resume()
      return
    }
    // A socket that is not read does not notice that its other end closes, so it stays half-open,
    // as intended.
    if (rules.stalled() || congested) from.pause()
    else from.resume()
    while (!rules.stalled() && !congested) {
      const next = waiting[0]
      if (next === undefined) return
      const remainingMs = next.dueAt - performance.now()
      if (remainingMs > 0) {
        clearTimeout(timer)
        timer = setTimeout(update, Math.max(1, remainingMs))
        return
      }
      waiting.shift()
      leave(next.item)
      if (abandoned) return
    }
  }

  function leave(item: Waiting['item']): void {
    if (item === 'end') to.end()
    else if (item === 'reset') to.resetAndDestroy()
    else if (rules.pass(item) && !to.write(item)) {
      congested = true
      from.pause()
      to.once('drain', () => {
        congested = false
        update()
      })
    }
  }

  from.on('data', (chunk) => {
    rules.arrived?.()
    arrive(chunk)
  })
  from.on('end', () => {
    ended = true
    arrive('end')
  })
  // 'close' follows and reports the error.
  from.on('error', () => {})
  from.on('close', (hadError) => {
    if (hadError || !ended) arrive('reset')
  })
  update()

  return {
    update,
    abandon: () => {
      abandoned = true
      clearTimeout(timer)
      update()
    },
  }
}
