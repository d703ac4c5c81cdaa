"""What gunicorn loads in the demo: the application, with the page of its design system."""

from app import create_app
from styleguide.views import blueprint

app = create_app(also=(blueprint,))
