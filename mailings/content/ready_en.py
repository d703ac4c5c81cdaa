"""Ready letters in English, three for each type of offer."""

from __future__ import annotations

from mailings.content.ready_parts import (
    Ready,
    banner,
    button,
    heading,
    product,
    review,
    text,
)
from mailings.rules.offers import OfferKind

_HELLO = 'Hello {{ client.name | default: "there" }},'
_SIGNED = "{{ manager.name | default: sender.name }}"
_TILL = "The offer holds until {{ offer.valid_till }}."
_WHY, _PROOF, _TERMS = "{{ offer.reason }}", "{{ offer.proof }}", "{{ offer.terms }}"
_WHAT, _PRODUCT, _ACT = "{{ offer.what }}", "{{ offer.product }}", "{{ offer.call_to_action }}"
_SHORT_WHY, _SHORT_TERMS = "{{ offer.reason | truncate: 90 }}", "{{ offer.terms | truncate: 90 }}"

LETTERS = (
    Ready(OfferKind.NEW, "Introduction", _WHAT, _SHORT_WHY, (
        heading(_WHAT), text(_HELLO, _WHY, _PROOF), button(_ACT),
        text(_TILL, f"Any questions? Just reply to this letter.\n{_SIGNED}"),
    )),
    Ready(OfferKind.NEW, "Terms for a first order", "For your first order: {{ offer.terms | truncate: 60 }}", "Try us with something small", (
        text(_HELLO, "You haven't ordered from us yet, and we want trying to be easy."),
        banner(_TERMS, _WHAT), text(_WHY, _PROOF), button(_ACT), text(_TILL),
    )),
    Ready(OfferKind.NEW, "Short and personal", '{{ client.name | default: "Hello" }}, one question?', "It takes half a minute", (
        text(_HELLO, f"My name is {_SIGNED}. {_WHAT}", _WHY, "If this doesn't matter to you now, don't answer, and I won't write again. If it does, reply “yes” and I'll tell you more."),
        button(_ACT),
    )),
    Ready(OfferKind.REPEAT, "Time to stock up", "{{ offer.product }}: time to order again?", "It usually runs out about now", (
        text(_HELLO, 'Your last order was on {{ client.last_sale_on | default: "some day long ago" }}. About now it usually runs out.'),
        product(_TERMS, _ACT), text(_WHY, _TILL),
    )),
    Ready(OfferKind.REPEAT, "The same again", "Shall we repeat your last order?", "Reply “yes”, we do the rest", (
        text(_HELLO, "To repeat your last order there is nothing to fill in: reply “yes” to this letter.", _TERMS),
        button(_ACT), text(f"Kind regards,\n{_SIGNED}"),
    )),
    Ready(OfferKind.REPEAT, "Thank you", '{{ client.name | default: "Thank you" }}, this is for those who come back', _SHORT_TERMS, (
        heading("Thank you for coming back"),
        text(_HELLO, "Orders we have made for you: {{ client.sales }}.", _WHY),
        banner(_TERMS, 'Your code: **{{ code | default: "reply, and we will send it" }}**', "light"), button(_ACT), text(_TILL),
    )),
    Ready(OfferKind.UPSELL_BEFORE, "A better one", "About your order: {{ offer.product }}", "Have a look before we begin", (
        text(_HELLO, "Before we begin with your order, have a look at a better option.", _WHY),
        product(_TERMS, _ACT), text("To keep your order as it is, do nothing.", _TILL),
    )),
    Ready(OfferKind.UPSELL_BEFORE, "Two options", "Two options for you", "How they differ, and who each is for", (
        heading("Which one is yours?"),
        text(_HELLO, "**As it is.** It does what you asked for.", f"**{_PRODUCT}.** {_WHAT}", _WHY),
        banner(_TERMS, _TILL, "light"), button(_ACT),
    )),
    Ready(OfferKind.UPSELL_BEFORE, "A note from the manager", "A thought about your order", _SHORT_WHY, (
        text(_HELLO, f"I looked at your order and think {_PRODUCT} would suit you better.", _WHY, _TERMS, f"Shall I change it? Reply, or press the button.\n{_SIGNED}"),
        button(_ACT),
    )),
    Ready(OfferKind.UPSELL_AFTER, "Goes with it", "It goes well with what you bought", _PRODUCT, (
        text(_HELLO, "Thank you for your order! One more thing goes well with it."),
        product(_WHAT, _ACT), text(_WHY, _TERMS, _TILL),
    )),
    Ready(OfferKind.UPSELL_AFTER, "The next step", "What comes next: {{ offer.product }}", "What those do who succeed", (
        heading("The next step"), text(_HELLO, "You have the main thing. To get more of it, most take one more step.", _WHY),
        review(_PROOF, "From our clients"), button(_ACT), text(_TERMS, _TILL),
    )),
    Ready(OfferKind.UPSELL_AFTER, "Is everything well?", '{{ client.name | default: "Hello" }}, is everything well with your order?', "And a small offer at the end", (
        text(_HELLO, "We want to be sure that your order is all right. If it isn't, reply to this letter and we will sort it out."),
        text("And if it is, here is what others add to it:", f"**{_PRODUCT}.** {_TERMS}"), button(_ACT), text(_SIGNED),
    )),
    Ready(OfferKind.CROSS_SELL, "Easier together", "{{ offer.product }} for those who are with us already", "{{ offer.what | truncate: 90 }}", (
        text(_HELLO, "You buy one thing from us, and we do another as well. Together it is easier: one contract, one delivery, one person to ask."),
        product(_WHAT, _ACT), text(_PROOF, _TILL),
    )),
    Ready(OfferKind.CROSS_SELL, "You may not know", "You may not know that we do this too", _PRODUCT, (
        heading(f"We do this too: {_PRODUCT}"), text(_HELLO, _WHY), review(_PROOF, "A client of ours"),
        banner(_TERMS, _TILL, "light"), button(_ACT),
    )),
    Ready(OfferKind.CROSS_SELL, "A plain question", "Who does this for you: {{ offer.product | truncate: 60 }}?", "One short question", (
        text(_HELLO, f"We work together already, so I ask plainly: where do you get {_PRODUCT} now?", _WHAT, _TERMS, f"Reply in a few words, and I will work out whether changing pays.\n{_SIGNED}"),
        button(_ACT),
    )),
    Ready(OfferKind.WIN_BACK, "Long time no see", '{{ client.name | default: "Hello" }}, long time no see', _SHORT_TERMS, (
        heading("Long time no see"),
        text(_HELLO, 'Your last order was on {{ client.last_sale_on | default: "some day long ago" }}. Much has changed here since, and we want you to see it.', _WHY),
        banner(_TERMS, "Only until {{ offer.valid_till }}"), button(_ACT),
    )),
    Ready(OfferKind.WIN_BACK, "What went wrong?", "Did we do something wrong?", "An honest answer helps us", (
        text(_HELLO, "You used to buy from us, and then you stopped. If it was our fault, tell us: reply to this letter, a person reads it.", f"And if there was just no occasion, here is one: {_TERMS}"),
        button(_ACT), text(f"The offer holds until {{{{ offer.valid_till }}}}.\n{_SIGNED}"),
    )),
    Ready(OfferKind.WIN_BACK, "A code to come back", "Your own code until {{ offer.valid_till }}", "It works once", (
        text(_HELLO, _WHY), banner('{{ code | default: "Terms of your own" }}', _TERMS, "dark"), button(_ACT),
        text("Until {{ offer.valid_till }}, and only for you."),
    )),
    Ready(OfferKind.EVENT, "Invitation", "You are invited: {{ offer.what | truncate: 70 }}", "{{ offer.valid_till }}", (
        heading(_WHAT), text(_HELLO, "We invite you on **{{ offer.valid_till }}**.", _WHY), button(_ACT),
        text(_TERMS, f"See you there!\n{_SIGNED}"),
    )),
    Ready(OfferKind.EVENT, "Programme", "What happens on {{ offer.valid_till }}", "{{ offer.what | truncate: 90 }}", (
        heading(_WHAT), banner("{{ offer.valid_till }}", _TERMS), text(f"**Why come.** {_WHY}", _PROOF), button(_ACT),
    )),
    Ready(OfferKind.EVENT, "Reminder", "A reminder: {{ offer.valid_till }}", "There are places left", (
        text(_HELLO, f"A reminder: {_WHAT}, **{{{{ offer.valid_till }}}}**.", "If your plans have changed, reply, and we will send you the materials."),
        button(_ACT),
    )),
    Ready(OfferKind.LEAD_MAGNET, "Useful and free", _WHAT, "Free, without obligation", (
        heading(_WHAT), text(_HELLO, _WHY, _PROOF), button(_ACT), text("It is free and obliges you to nothing."),
    )),
    Ready(OfferKind.LEAD_MAGNET, "What is inside", "Inside: {{ offer.what | truncate: 70 }}", "Five minutes to read", (
        heading(_WHAT),
        text(_HELLO, "What you will find inside:", "- where to begin;\n- the mistakes most people make;\n- how to tell that it worked.", _WHY),
        button(_ACT),
    )),
    Ready(OfferKind.LEAD_MAGNET, "How it helped others", "How it worked for others", "{{ offer.what | truncate: 90 }}", (
        text(_HELLO, "We have put together what we are asked about most."), review(_PROOF, "A client of ours"),
        banner(_WHAT, "Free", "light"), button(_ACT),
    )),
)  # fmt: skip
