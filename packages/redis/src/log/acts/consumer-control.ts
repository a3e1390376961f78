import { type ActedBy, actTarget, type ConsumerControl } from '@oncekey/core'
import type { Script } from '../../client/script.ts'
import {
  isPausedScript,
  type PausingQuestion,
  pauseScript,
  resumeScript,
} from '../scripts/consumers/pausing.ts'
import { actedIn } from './acted-in.ts'

/** Pauses and resumes consumers. The pause is kept beside the record of the types they take. */
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

    // Reports of relays are not shown for Redis, so they are not stored.
    async report() {},
  }
}

function questionOf(verb: string, consumer: string, by: ActedBy | undefined): PausingQuestion {
  const acted = actedIn(`consumers.${verb}`, by)
  return { consumer, ...acted, target: actTarget('consumer', consumer) }
}
