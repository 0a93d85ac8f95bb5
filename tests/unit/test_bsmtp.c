/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "messages.h"

#define ENVELOPE "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
#define ENVELOPE_LF "mail from:<>\nrcpt to:<b@example.org>\ndata\n"
#define LIMIT (1u << 20)

static void read_text(struct messages *m, const char *text)
{
	messages_read(m, bsmtp_next, text, strlen(text), 0, LIMIT);
}

/* the messages before the bad one stand; it starts at @from, the error is @why at @byte */
static void malformed_from(const char *text, size_t good, size_t from, size_t byte,
			   const char *why)
{
	struct messages m;
	char wanted[256], start[40] = "";

	read_text(&m, text);
	assert_int_equal(m.result, -EINVAL);
	assert_int_equal(m.count, good);
	if (from != byte)
		(void)snprintf(start, sizeof(start), " (from byte %zu)", from);
	(void)snprintf(wanted, sizeof(wanted), "message %zu%s, byte %zu: %s", good + 1, start,
		       byte, why);
	assert_string_equal(m.error, wanted);
	messages_free(&m);
}

/* what is wrong stands between messages, or is the first of one */
static void malformed(const char *text, size_t good, size_t byte, const char *why)
{
	malformed_from(text, good, byte, byte, why);
}

/* what is wrong is within a message that starts the input */
static void malformed_within(const char *text, size_t byte, const char *why)
{
	malformed_from(text, 0, 0, byte, why);
}

static void a_message_goes_from_mail_through_the_dot(void **state)
{
	static const char one[] = ENVELOPE "Subject: 1\r\n\r\n..dot\r\n. \r\n.\r\n";
	static const char two[] = "MAIL FROM:<>\r\nRCPT TO:<b>\r\nNOOP\r\n"
				  "RCPT TO:<c>\r\nDATA\r\n.\r\n";
	char text[1024];
	struct messages m;

	(void)state;
	(void)snprintf(text, sizeof(text), "EHLO x\r\n%sRSET\r\n%sQUIT\r\n", one, two);
	read_text(&m, text);
	assert_int_equal(m.result, 0);
	assert_int_equal(m.count, 2);
	messages_equal(&m, 0, one, strlen(one));
	messages_equal(&m, 1, two, strlen(two));
	messages_free(&m);
}

static void line_feeds_alone_will_do(void **state)
{
	static const char text[] = "helo x\n" ENVELOPE_LF "a\nb\r\n.\n" ENVELOPE_LF ".\n";
	struct messages m;

	(void)state;
	read_text(&m, text);
	assert_int_equal(m.result, 0);
	assert_int_equal(m.count, 2);
	messages_equal(&m, 0, ENVELOPE_LF "a\nb\r\n.\n", strlen(ENVELOPE_LF) + 7);
	messages_equal(&m, 1, ENVELOPE_LF ".\n", strlen(ENVELOPE_LF) + 2);
	messages_free(&m);
}

static void nothing_in_it_is_no_message(void **state)
{
	static const char *const texts[] = { "", "QUIT\r\n", "EHLO x\r\nQUIT\r\nEHLO y\r\n" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct messages m;

		read_text(&m, texts[i]);
		assert_int_equal(m.result, 0);
		assert_int_equal(m.count, 0);
	}
}

static void rset_gives_a_message_up(void **state)
{
	static const char text[] = "MAIL FROM:<x>\r\nRCPT TO:<y>\r\nRSET\r\n" ENVELOPE ".\r\n";
	struct messages m;

	(void)state;
	read_text(&m, text);
	assert_int_equal(m.result, 0);
	assert_int_equal(m.count, 1);
	messages_equal(&m, 0, ENVELOPE ".\r\n", strlen(ENVELOPE) + 3);
	messages_free(&m);
}

static void malformed_input_is_named_by_message_and_byte(void **state)
{
	(void)state;
	malformed(ENVELOPE ".\r\nBDAT 3\r\n", 1, strlen(ENVELOPE) + 3,
		  "not supported here: \"BDAT 3\"");
	malformed("EHLO x\nSTARTTLS\n", 0, 7, "not supported here: \"STARTTLS\"");
	malformed("STARTTLSX\n", 0, 0, "no SMTP command: \"STARTTLSX\"");
	malformed_within("MAIL FROM:<>\nBDAT 3 LAST\n", 13, "not supported here: \"BDAT 3 LAST\"");
	/* RSET ends a message, the next one starts anew */
	malformed_from("MAIL FROM:<x>\nRSET\nMAIL FROM:<>\nDATA\n", 0, 19, 32, "DATA without RCPT");
	malformed("Subject: no\n", 0, 0, "no SMTP command: \"Subject: no\"");
	malformed("\n", 0, 0, "no SMTP command: \"\"");
	malformed("EHLOX\n", 0, 0, "no SMTP command: \"EHLOX\"");
	malformed("DATA\rX\n", 0, 0, "no SMTP command: \"DATA\"");
	malformed("MAIL <x>\n", 0, 0, "no SMTP command: \"MAIL <x>\"");
	malformed("RCPT TO:<x>\n", 0, 0, "RCPT without MAIL");
	malformed("EHLO x\nDATA\n", 0, 7, "DATA without MAIL");
	malformed_within("MAIL FROM:<>\nDATA\n", 13, "DATA without RCPT");
	malformed_within("MAIL FROM:<>\nMAIL FROM:<>\n", 13,
			 "MAIL before the message before was sent");
	malformed_within("MAIL FROM:<>\nQUIT\n", 13, "the session ends within a message");
	malformed_within("MAIL FROM:<>\n\x01\n", 13, "no SMTP command: \"\"");
}

static void a_cut_off_message_is_refused(void **state)
{
	static const char cut[] = "the input ends within the message";

	(void)state;
	malformed_from(ENVELOPE ".\r\nMAIL FROM:<>\r\n", 1, strlen(ENVELOPE) + 3,
		       strlen(ENVELOPE) + 17, cut);
	malformed_within(ENVELOPE, strlen(ENVELOPE), cut);
	malformed_within(ENVELOPE "text\r\n", strlen(ENVELOPE) + 6, cut);
	/* more of the line may have been lost: "." could begin "..." */
	malformed_within(ENVELOPE "text\r\n.", strlen(ENVELOPE) + 7, cut);
	malformed("QUIT", 0, 0, "the command has no line end");
}

/* Two programs that disagree on the end of a message disagree on how many
 * messages there are. */
static void a_dot_among_other_line_ends_is_refused(void **state)
{
	static const char why[] = "a lone dot among line ends unlike that of DATA";

	(void)state;
	malformed_within(ENVELOPE "text\r\n.\nMAIL FROM:<>\n", strlen(ENVELOPE) + 6, why);
	malformed_within(ENVELOPE "text\n.\r\nMAIL FROM:<>\n", strlen(ENVELOPE) + 5, why);
	malformed_within(ENVELOPE "text\n.\nMAIL FROM:<>\n", strlen(ENVELOPE) + 5, why);
	malformed_within(ENVELOPE_LF "text\n.\r\nMAIL FROM:<>\n", strlen(ENVELOPE_LF) + 5, why);
}

static void long_lines_belong_to_the_body_alone(void **state)
{
	enum { LONG = 200000 };
	char *text = malloc(LONG + 512);
	size_t head = strlen(ENVELOPE);
	struct messages m;

	(void)state;
	assert_non_null(text);
	memcpy(text, ENVELOPE, head);
	/* dots at the start of every piece but one are none at the start of a line */
	memset(text + head, '.', LONG);
	memcpy(text + head + LONG, "\r\n.\r\n", 6);
	read_text(&m, text);
	assert_int_equal(m.result, 0);
	assert_int_equal(m.count, 1);
	messages_equal(&m, 0, text, head + LONG + 5);
	messages_free(&m);
	memcpy(text, "EHLO ", 5);
	memset(text + 5, 'x', LONG);
	memcpy(text + 5 + LONG, "\r\n", 3);
	malformed(text, 0, 0, "the command line is too long");
	free(text);
}

static void zero_bytes_are_bytes_in_the_body(void **state)
{
	static const char text[] = ENVELOPE "a\0b\r\n\0\r\n.\r\n";
	static const char command[] = "DATA\0\r\n";
	struct messages m;

	(void)state;
	messages_read(&m, bsmtp_next, text, sizeof(text) - 1, 0, LIMIT);
	assert_int_equal(m.count, 1);
	messages_equal(&m, 0, text, sizeof(text) - 1);
	messages_free(&m);
	messages_read(&m, bsmtp_next, command, sizeof(command) - 1, 0, LIMIT);
	assert_int_equal(m.result, -EINVAL);
}

static void over_the_limit_is_refused(void **state)
{
	static const char text[] = ENVELOPE "12345\r\n.\r\n";
	struct messages m;

	(void)state;
	messages_read(&m, bsmtp_next, text, strlen(text), 0, strlen(text));
	assert_int_equal(m.count, 1);
	messages_free(&m);
	messages_read(&m, bsmtp_next, text, strlen(text), 0, strlen(text) - 1);
	assert_int_equal(m.result, -EMSGSIZE);
	assert_int_equal(m.count, 0);
	assert_non_null(strstr(m.error, "message 1, byte 0: the message is over"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_goes_from_mail_through_the_dot),
		cmocka_unit_test(line_feeds_alone_will_do),
		cmocka_unit_test(nothing_in_it_is_no_message),
		cmocka_unit_test(rset_gives_a_message_up),
		cmocka_unit_test(malformed_input_is_named_by_message_and_byte),
		cmocka_unit_test(a_cut_off_message_is_refused),
		cmocka_unit_test(a_dot_among_other_line_ends_is_refused),
		cmocka_unit_test(long_lines_belong_to_the_body_alone),
		cmocka_unit_test(zero_bytes_are_bytes_in_the_body),
		cmocka_unit_test(over_the_limit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
