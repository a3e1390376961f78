import { randomUUID } from 'node:crypto'
import { waitFor } from '@oncekey/test-servers'
import { Redis } from 'ioredis'

/** Watches the commands that a server gets. */
export interface Wire {
  /**
   * The names of the commands that clients send while `work` runs, in order, without those that
   * scripts call.
   */
  commandsDuring(work: () => Promise<unknown>): Promise<string[]>
  close(): void
}

/** Opens a MONITOR connection. */
export async function listenTo(url: string): Promise<Wire> {
  const asking = new Redis(url)
  const monitor = await new Redis(url).monitor()
  let heard: string[][] = []
  monitor.on('monitor', (_time: string, args: string[], source: string) => {
    if (source !== 'lua') heard.push(args)
  })

  /**
   * Sends a marker, and resolves when MONITOR shows it: then everything sent before has been shown.
   */
  async function mark(): Promise<string> {
    const text = randomUUID()
    await asking.echo(text)
    await waitFor(() => heard.some(([, said]) => said === text), { what: 'the mark to be heard' })
    return text
  }

  return {
    async commandsDuring(work) {
      await mark()
      heard = []
      await work()
      const end = await mark()
      const until = heard.findIndex(([, said]) => said === end)
      return heard.slice(0, until).map(([name = '']) => name.toLowerCase())
    },
    close() {
      monitor.disconnect()
      asking.disconnect()
    },
  }
}
