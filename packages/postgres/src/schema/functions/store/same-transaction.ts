import { STARTED } from './start-attempt.ts'

/**
 * Refuses every transaction except the one that began at 'in_started'. A handler that committed by
 * itself has released the lock, and what follows would be committed piece by piece. The start time
 * is compared because no statement of a handler can change it, whereas RESET ALL removes a setting.
 */
export const REFUSE_OTHER_TRANSACTIONS: string = `if ${STARTED} is distinct from in_started then
        raise exception 'the transaction of this attempt has ended' using errcode = 'OK001';
      end if;`

/** The same for PGlite, whose clock counts milliseconds: 'in_attempt' is the mark that was set. */
export const REFUSE_UNMARKED_TRANSACTIONS: string = `if ${STARTED} is distinct from in_started
        or current_setting('oncekey.attempt', true) is distinct from in_attempt
          and in_attempt is not null
      then
        raise exception 'the transaction of this attempt has ended' using errcode = 'OK001';
      end if;`
