import type { Bench } from '../bench.ts'
import { median } from '../median.ts'
import type { WatchedRequests } from '../programs/watched-requests.ts'
import type { Cell } from '../report.ts'
import { type Watched, watchers } from '../request-costs/watchers.ts'
import { interleaved } from '../rounds.ts'

/** What each part of telemetry adds to a request, and what the libraries behind it cost alone. */
export const telemetryCostsBench: Bench = {
  name: 'telemetry-costs',
  about: 'what metrics and spans add to a request of the engine alone, beside bare spans',
  onlyByName: true,

  async run({ rounds, requests }, programs) {
    const names = Object.keys(watchers) as Watched[]
    const running = []
    for (const name of names) {
      const program = await programs.start<WatchedRequests>('watched-requests', FLAGS)
      await program.call('watch', name)
      await program.call('send', requests * 2)
      running.push(program)
    }
    const samples = await interleaved(
      rounds,
      running.map((program) => () => program.call('send', requests)),
    )
    await Promise.all(running.map((program) => program.stop()))
    const [unwatched = []] = samples
    const rows = samples.map((own, at): Cell[] => {
      const added = own.map((micros, round) => micros - (unwatched[round] ?? Number.NaN))
      return [names[at], median(own), median(added), Math.min(...own) - Math.min(...unwatched)]
    })
    return {
      tables: [
        {
          title: `${requests} requests a round, ${rounds} rounds`,
          columns: ['watched by', 'CPU µs', 'added', 'added in the best round'],
          rows,
        },
      ],
      budgets: [],
      notes: ['A request is decided and completed by the engine, with a store that keeps nothing.'],
    }
  },
}

const FLAGS = ['--expose-gc', '--single-threaded']
