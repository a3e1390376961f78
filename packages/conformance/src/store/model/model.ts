import fc from 'fast-check'
import type { StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import { histories } from './histories.ts'
import { live } from './live-history.ts'

/**
 * Runs random histories of claims and ends, some concurrent, against a model of one key. Concurrent
 * operations may take effect in any order; the test is that some order explains every answer.
 */
export function model(): StoreBehaviourGroup {
  return {
    title: 'the model',
    behaviours: [
      {
        title: 'explains every decision, for any concurrent history',
        run: (context) =>
          fc.assert(
            fc.asyncProperty(histories(context), (history) => live(history, context)),
            { numRuns: context.modelRuns, interruptAfterTimeLimit: 20_000 },
          ),
      },
    ],
  }
}
