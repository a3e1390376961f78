import { type ActedBy, actTarget, type ConsumerControl } from '@oncekey/core'
import type { Script } from '../../client/script.ts'
import {
  isPausedScript,
  type PausingQuestion,
  pauseScript,
  resumeScript,
} from '../scripts/consumers/pausing.ts'
import { actedIn } from './acted-in.ts'

/** Pausing consumers, on record beside the record of what they want. */
export function consumerControl(
  ask: <Question, Reply>(script: Script<Question, Reply>, question: Question) => Promise<Reply>,
): ConsumerControl {
  return {
    async pause(consumer, by) {
      const outcome = await ask(pauseScript, questionOf('pause', consumer, by))
      return outcome === 'done' ? 'paused' : outcome
    },

    async resume(consumer, by) {
      const outcome = await ask(resumeScript, questionOf('resume', consumer, by))
      return outcome === 'done' ? 'resumed' : outcome
    },

    async paused(consumers) {
      const asked = consumers.map((consumer) => ask(isPausedScript, { consumer }))
      const isPaused = await Promise.all(asked)
      return consumers.filter((_, at) => isPaused[at])
    },

    // Nothing shows it yet, so nothing is written.
    async report() {},
  }
}

function questionOf(verb: string, consumer: string, by: ActedBy | undefined): PausingQuestion {
  const acted = actedIn(`consumers.${verb}`, by)
  return { consumer, ...acted, target: actTarget('consumer', consumer) }
}
